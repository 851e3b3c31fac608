import { retry, type BackoffPolicy } from '#async/backoff.ts';
import type { Clock } from '#async/clock.ts';
import { withDeadline } from '#async/deadline.ts';
import { MalformedError, ResourceExhaustedError } from '#errors/errors.ts';
import { noClientMetrics, type ClientMetrics } from './client-metrics.ts';
import { KubernetesError, toKubernetesError } from './kubernetes-error.ts';
import { connectionError, type Transport, type TransportAnswer, type TransportRequest } from './transport.ts';

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly signal?: AbortSignal;
}

/** Which object as it must be for a delete to count. */
export interface Preconditions {
  readonly uid: string;
  readonly resourceVersion?: string;
}

/** One step of a JSON Patch (RFC 6902). */
export interface PatchStep {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

/** A request that is not a watch is answered within this, or never. */
const callTimeoutMs = 30_000;
/** Largest answer that is read: a page of 500 objects of 30 KiB. */
const maxAnswerBytes = 16 * 1024 * 1024;
/** A server that asks to be left alone for longer than this is waited for by the caller's own back-off. */
const longestRetryAfterMs = 30_000;
const attempts = 3;
const retryPolicy: BackoffPolicy = { firstMs: 800, factor: 2, capMs: 30_000, jitter: 0.5 };

/**
 * An API server's resources as JSON. A call throws KubernetesError with what the server answered, UnavailableError when
 * there is no answer, MalformedError when it makes no sense. A server that says "too many requests" or "try again after …"
 * is asked again as it says; it has done nothing then.
 */
export class KubernetesClient {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #metrics: ClientMetrics;

  constructor(options: { readonly transport: Transport; readonly clock: Clock; readonly metrics?: ClientMetrics }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#metrics = options.metrics ?? noClientMetrics;
  }

  /** `accept` where the answer is JSON by another name. */
  async get(path: string, options: CallOptions & { readonly accept?: string } = {}): Promise<unknown> {
    const { accept, ...rest } = options;
    return await this.#call({ method: 'GET', path, ...(accept ? { accept } : {}) }, rest);
  }

  /** The same with the server's own time, wall clock in whole seconds; our own clock's where the server does not say. */
  async getTimed(path: string, options: CallOptions = {}): Promise<{ value: unknown; serverNowMs: number }> {
    const { value, date } = await this.#answer({ method: 'GET', path }, options);
    const serverNowMs = Date.parse(date ?? '');
    return { value, serverNowMs: Number.isNaN(serverNowMs) ? this.#clock.nowMs() : serverNowMs };
  }

  async create(path: string, object: unknown, options: CallOptions = {}): Promise<unknown> {
    const body = JSON.stringify(object);
    return await this.#call({ method: 'POST', path, body, contentType: 'application/json' }, options);
  }

  /** Server-side apply with force: what the object says is ours from then on. */
  async apply(
    path: string,
    object: unknown,
    options: CallOptions & { readonly fieldManager: string },
  ): Promise<unknown> {
    const { fieldManager, query, ...rest } = options;
    const request = {
      method: 'PATCH',
      path,
      body: JSON.stringify(object),
      contentType: 'application/apply-patch+yaml',
    } as const;
    return await this.#call(request, { ...rest, query: { ...query, fieldManager, force: true } });
  }

  async jsonPatch(path: string, steps: readonly PatchStep[], options: CallOptions = {}): Promise<unknown> {
    const body = JSON.stringify(steps);
    return await this.#call({ method: 'PATCH', path, body, contentType: 'application/json-patch+json' }, options);
  }

  async mergePatch(path: string, change: unknown, options: CallOptions = {}): Promise<unknown> {
    const body = JSON.stringify(change);
    return await this.#call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' }, options);
  }

  async delete(path: string, preconditions: Preconditions, options: CallOptions = {}): Promise<void> {
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      propagationPolicy: 'Background',
    });
    await this.#call({ method: 'DELETE', path, body, contentType: 'application/json' }, options);
  }

  /** Begins to listen; who reads the lines watches over their time. Throws what a call throws, and does not try again. */
  async watch(
    path: string,
    options: CallOptions & { readonly signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    const request = { method: 'GET', path: withQuery(path, options.query), signal: options.signal } as const;
    const what = `watch ${path}`;
    const answer = await this.#measured(request);
    if (answer.status !== 200) throw await this.#failure(what, answer, options.signal);
    return answer.body;
  }

  async #call(request: Omit<TransportRequest, 'signal'>, options: CallOptions): Promise<unknown> {
    return (await this.#answer(request, options)).value;
  }

  async #answer(request: Omit<TransportRequest, 'signal'>, { query, signal }: CallOptions): Promise<Answered> {
    const path = withQuery(request.path, query);
    const what = `${request.method} ${request.path}`;
    return await retry(async () => await this.#once(what, { ...request, path }, signal), {
      clock: this.#clock,
      policy: retryPolicy,
      attempts,
      ...(signal ? { signal } : {}),
      retryable: mayAskAgain,
      atLeastMs: (error) => (error instanceof KubernetesError ? error.retryAfterMs : undefined),
    });
  }

  async #once(what: string, request: Omit<TransportRequest, 'signal'>, signal?: AbortSignal): Promise<Answered> {
    using deadline = withDeadline(signal, callTimeoutMs, what);
    const answer = await this.#measured({ ...request, signal: deadline.signal });
    if (answer.status < 200 || answer.status > 299) throw await this.#failure(what, answer, deadline.signal);
    const text = await readAll(what, answer, deadline.signal);
    try {
      return { value: JSON.parse(text) as unknown, date: answer.date };
    } catch (error) {
      throw new MalformedError(`${what}: the answer is not JSON`, { cause: error });
    }
  }

  async #measured(request: TransportRequest): Promise<TransportAnswer> {
    const startMs = this.#clock.monotonicMs();
    const tell = (code: string) =>
      this.#metrics.request({ method: request.method, code, durationMs: this.#clock.monotonicMs() - startMs });
    try {
      const answer = await this.#transport.send(request);
      tell(String(answer.status));
      return answer;
    } catch (error) {
      tell('error');
      throw error;
    }
  }

  async #failure(what: string, answer: TransportAnswer, signal: AbortSignal): Promise<unknown> {
    const body = await readAll(what, answer, signal).catch(() => '');
    return toKubernetesError(what, { status: answer.status, body, retryAfter: answer.retryAfter });
  }
}

/** What an answer holds, and when the server gave it. */
interface Answered {
  readonly value: unknown;
  readonly date: string | undefined;
}

/** Whether the server said that it did nothing now and may be asked again soon. */
function mayAskAgain(error: unknown): boolean {
  if (!(error instanceof KubernetesError)) return false;
  const { status, retryAfterMs } = error;
  if ((retryAfterMs ?? 0) > longestRetryAfterMs) return false;
  return status === 429 || (status >= 500 && retryAfterMs !== undefined);
}

function withQuery(path: string, query: CallOptions['query'] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

async function readAll(what: string, answer: TransportAnswer, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer.body) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxAnswerBytes) break;
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw connectionError(what, error, signal);
  }
  if (bytes > maxAnswerBytes)
    throw new ResourceExhaustedError(`${what}: the answer is larger than ${maxAnswerBytes} bytes`);
  return Buffer.concat(chunks).toString();
}
