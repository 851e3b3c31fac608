import * as z from 'zod';
import { RunletError, type ErrorCode } from '#errors/errors.ts';

/** What an API server answered instead of what was asked for. */
export class KubernetesError extends RunletError {
  /** HTTP's status code. */
  readonly status: number;
  /** Kubernetes' own word for it, such as `NotFound`, `AlreadyExists`, `Conflict`; empty when it said none. */
  readonly reason: string;
  /** What it said, without what was tried. */
  readonly said: string;
  /** How long it asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(failure: {
    readonly what: string;
    readonly status: number;
    readonly reason: string;
    readonly said: string;
    readonly retryAfterMs?: number | undefined;
    /** The object that it is about, where the server named one. */
    readonly name?: string | undefined;
  }) {
    const { what, status, reason, said, retryAfterMs, name } = failure;
    super(codeOf(status, reason, name), `${what}: ${said || `status ${status}`}`, { details: { status, reason } });
    this.status = status;
    this.reason = reason;
    this.said = said;
    this.retryAfterMs = retryAfterMs;
  }
}

const statusSchema = z.looseObject({
  message: z.string().catch(''),
  reason: z.string().catch(''),
  code: z.number().int().catch(0),
  details: z.looseObject({ name: z.string().optional() }).catch({}),
});

/** Longest message that is kept of an answer: an admission policy may say as much as it likes. */
const maxMessageLength = 2000;

/** The error of an answer: its body is a Status object, or, from whatever stands in front of the server, any text. */
export function toKubernetesError(
  what: string,
  answer: { readonly status: number; readonly body: string; readonly retryAfter?: string | undefined },
): KubernetesError {
  const { message, reason, name } = parseStatus(answer.body);
  return new KubernetesError({
    what,
    status: answer.status,
    reason,
    said: (message || answer.body.trim()).slice(0, maxMessageLength),
    retryAfterMs: parseRetryAfter(answer.retryAfter),
    name,
  });
}

/** The error of a Status object that came as an event of a watch. */
export function statusObjectError(what: string, object: unknown): KubernetesError {
  const { message, reason, code } = statusSchema.catch({ message: '', reason: '', code: 0, details: {} }).parse(object);
  return new KubernetesError({ what, status: code, reason, said: message.slice(0, maxMessageLength) });
}

/** Whether what was asked for is gone from the server's history: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubernetesError && (error.status === 410 || error.reason === 'Expired');
}

/** Whether the server has not come to a version yet that it had given out: it was set back, as by restoring a backup. */
export function isAhead(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 504 && error.said.includes('Too large resource version');
}

/** Whether the object that was asked about is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof KubernetesError && error.code === 'not-found';
}

function parseStatus(body: string): {
  readonly message: string;
  readonly reason: string;
  readonly name?: string | undefined;
} {
  try {
    const { message, reason, details } = statusSchema.parse(JSON.parse(body));
    return { message, reason, name: details.name };
  } catch {
    return { message: '', reason: '' };
  }
}

/** Seconds, as Kubernetes writes it; a date, which HTTP allows too, is answered by no API server. */
function parseRetryAfter(value: string | undefined): number | undefined {
  const seconds = Number(value);
  return value !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/**
 * A server that does not know of our kinds, such as one that has just begun to serve or whose CRDs are being replaced, says 404
 * as well; only one that names the object knows that it is not there.
 */
function codeOf(status: number, reason: string, name: string | undefined): ErrorCode {
  if (status === 404) return name ? 'not-found' : 'unavailable';
  if (status === 409) return reason === 'AlreadyExists' ? 'already-exists' : 'failed-precondition';
  if (status >= 500 || status === 429 || status === 408) return 'unavailable';
  return codes[status] ?? 'internal';
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-argument',
  401: 'permission-denied',
  403: 'permission-denied',
  410: 'failed-precondition',
  412: 'failed-precondition',
  413: 'resource-exhausted',
  422: 'invalid-argument',
};
