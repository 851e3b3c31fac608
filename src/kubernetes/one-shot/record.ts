import type { ObjectIdentity } from '../reconcile/source.ts';
import type { CheckpointStatus, ExecStatus, SignalStatus } from './schema-status.ts';
import type { OneShotKind } from './schema.ts';

/** What came of an act beside its end: fields of the kind's status. */
export type Result = Partial<
  Pick<ExecStatus, 'exitStatus' | 'stdout' | 'stderr' | 'truncated'> &
    Pick<SignalStatus, 'delivered'> &
    Pick<CheckpointStatus, 'path' | 'sizeBytes' | 'frozenMilliseconds' | 'imageID'>
>;

/** How an act ended, or that nobody knows. */
export interface Outcome {
  readonly state: 'Succeeded' | 'Failed' | 'Unknown';
  /** In CamelCase, such as `NonZeroExit`. */
  readonly reason: string;
  readonly message: string;
  readonly result?: Result;
}

/**
 * The journal of one object, by UID under `--root`: on disk before anything is done, so that whoever finds `begunAtMs` without
 * an outcome knows that nobody knows.
 */
export interface OneShotRecord extends ObjectIdentity {
  readonly kind: OneShotKind;
  /** The NodeTask acted on. */
  readonly taskUID?: string;
  /** Absent when it ended without having begun. */
  readonly begunAtMs?: number;
  readonly outcome?: Outcome & { readonly finishedAtMs: number };
  /** Of a checkpoint: when its data went for want of room or time, and for which limit; on disk before they are removed. */
  readonly evicted?: { readonly atMs: number; readonly why: string };
}

/** Succeeded, Failed or Unknown in one line. */
export function succeeded(message: string, result: Result = {}): Outcome {
  return { state: 'Succeeded', reason: 'Completed', message, result };
}

export function failed(reason: string, message: string, result: Result = {}): Outcome {
  return { state: 'Failed', reason, message, result };
}

export function unknown(message: string): Outcome {
  return { state: 'Unknown', reason: 'AgentStopped', message };
}
