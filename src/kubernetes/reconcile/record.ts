import type { LastTermination, NodeTaskStatus, Resources } from '../node-task/types.ts';
import { present } from './present.ts';
import type { ObjectIdentity } from './source.ts';

/** Why the agent itself ends a run. */
export type StopReason = 'Stopped' | 'Replaced' | 'Restarted' | 'DeadlineExceeded' | 'DriftCorrected' | 'Deleted';

/** Why no restart will follow. `Stopped`: runState asked for it. */
export type OutcomeKind =
  | 'Completed'
  | 'Error'
  | 'OOMKilled'
  | 'DeadlineExceeded'
  | 'Lost'
  | 'Checkpointed'
  | 'Stopped';

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly atMs: number;
}

/** Time that stands still now and then: what has passed, and since when more passes; without `sinceMs` it stands still. */
export interface Stopwatch {
  readonly passedMs: number;
  /** Wall clock. */
  readonly sinceMs?: number;
}

/** One start of the object's process. */
export interface Attempt {
  readonly number: number;
  /** Of the container fields that it was made from. */
  readonly hash: string;
  readonly startedAtMs: number;
  /** The run's stopwatch when it was started. */
  readonly runMsBefore: number;
  /** Its end is accounted for. */
  readonly ended: boolean;
}

/** A stop that has been begun: it is carried through whatever the object says meanwhile. */
export interface Stop {
  readonly why: StopReason;
  readonly attempt: number;
  /** When the grace period is over, wall clock. */
  readonly killAtMs: number;
}

/** Resources that were asked of the kernel while a task was there. */
export interface AppliedResources {
  readonly attempt: number;
  /** `null`: the object names none. */
  readonly resources: Resources | null;
  readonly problem?: {
    readonly reason: 'MemoryInUse' | 'Refused';
    readonly message: string;
    /** How often it was tried, and when it is tried again. */
    readonly tries: number;
    readonly retryAtMs: number;
  };
}

/**
 * What the agent remembers of one NodeTask, by UID, under `--root`: all that a new agent, also after a reboot, needs to go on as
 * if nothing had been. Whether a task runs is not in here: that is for the runtime to say.
 */
export interface ObjectRecord extends ObjectIdentity {
  /** Its source keeps it until it is released: something has been made of it. */
  readonly claimed?: true;
  /** How often a process was started. */
  readonly starts: number;
  /** A start that is about to be, with the boot that it is to be in: after a reboot nobody knows whether it was. */
  readonly begun?: { readonly attempt: number; readonly bootId: string };
  /** The last start. */
  readonly attempt?: Attempt;
  /** Unfrozen time since the first start of this run; restarts belong to a run. */
  readonly run?: Stopwatch;
  /** Ends in a row without ten minutes of running between them. */
  readonly failures: number;
  /** Waiting to be started again: for how long in all, and what of it has passed. */
  readonly backOff?: { readonly delayMs: number; readonly waited: Stopwatch };
  readonly stop?: Stop;
  readonly outcome?: Outcome;
  /** runState has been Stopped since the last run ended: leaving it begins anew. */
  readonly parked: boolean;
  /** The annotation's value last acted on. */
  readonly restartedAt?: string;
  /** How to end its process when the object is gone. */
  readonly stopping: { readonly signal: number; readonly graceSeconds: number };
  readonly last?: LastTermination;
  /** Where it was to be restored from; it never changes. */
  readonly restoreFrom?: string;
  /** What was asked of the kernel last, and what came of it; absent: what the task was made with. */
  readonly applied?: AppliedResources;
  readonly imageId?: string;
  /** The signal that the image wants to be stopped by. */
  readonly imageSignal?: number;
  /** The boot in which its source was last heard, or it was last started. */
  readonly bootId: string;
  /** As it was said last. */
  readonly status?: NodeTaskStatus;
}

/** How much time has passed by now. */
export function passedMs(watch: Stopwatch | undefined, nowMs: number): number {
  if (!watch) return 0;
  return watch.passedMs + (watch.sinceMs === undefined ? 0 : Math.max(0, nowMs - watch.sinceMs));
}

/** Lets time pass, or stand still. Returns the same when it does already. */
export function setTicking(watch: Stopwatch, ticking: boolean, nowMs: number): Stopwatch {
  if (ticking === (watch.sinceMs !== undefined)) return watch;
  return ticking ? { passedMs: watch.passedMs, sinceMs: nowMs } : { passedMs: passedMs(watch, nowMs) };
}

/** Milliseconds until a task that is backing off may start; 0 when it may, or is not backing off. */
export function backOffLeftMs({ backOff }: ObjectRecord, nowMs: number): number {
  return backOff ? Math.max(0, backOff.delayMs - passedMs(backOff.waited, nowMs)) : 0;
}

/** A copy with some fields changed; undefined takes a field away. */
export function change(
  record: ObjectRecord,
  changes: { [K in keyof ObjectRecord]?: ObjectRecord[K] | undefined },
): ObjectRecord {
  return present<ObjectRecord>({ ...record, ...changes });
}
