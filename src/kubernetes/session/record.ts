import { RunletError, type ErrorCode } from '#errors/errors.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';
import type { SessionKind } from './schema.ts';

/** How a session ended, or that nobody knows. */
export interface SessionOutcome {
  readonly state: 'Succeeded' | 'Failed' | 'Unknown';
  /** In CamelCase, such as `WrongSecret`. */
  readonly reason: string;
  readonly message: string;
  readonly exitStatus?: number;
}

/**
 * The journal of one session, by UID under `--root`: on disk before its secret is looked at, so that no secret is looked at
 * twice, over any crash.
 */
export interface SessionRecord extends ObjectIdentity {
  readonly kind: SessionKind;
  readonly taskName: string;
  readonly requestedBy?: string;
  readonly generation: number;
  /** When the object was made, by the API server's clock. */
  readonly createdAtMs: number;
  readonly ttlSeconds: number;
  /** The NodeTask that it is about; absent when it came to none. */
  readonly taskUID?: string;
  readonly begunAtMs?: number;
  /** Relative to the agent's root. */
  readonly recording?: string;
  readonly outcome?: SessionOutcome & { readonly finishedAtMs: number };
}

/** A session that is not served: what its client is told, and the reason that its status gives. */
export class SessionRefusedError extends RunletError {
  readonly reason: string;

  constructor(code: ErrorCode, reason: string, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
    this.reason = reason;
  }
}
