import { backoffMs, type BackoffPolicy } from '#async/backoff.ts';
import { parseSignal } from '#oci/signal.ts';
import type { Exit } from '#task/runtime.ts';
import { restartedAtAnnotation } from '../node-task/schema.ts';
import type { LastTermination, NodeTask } from '../node-task/types.ts';
import { present } from './present.ts';
import { change, passedMs, setTicking } from './record.ts';
import type { ObjectRecord, Outcome, OutcomeKind, StopReason } from './record.ts';
import type { ObjectIdentity } from './source.ts';
import { toTime } from './time.ts';

/** 0, 10, 20, 40 … 300 s between an end and the next start, as a Pod's containers have it. */
const restartPolicy: BackoffPolicy = { firstMs: 10_000, factor: 2, capMs: 300_000, jitter: 0 };
/** Who has run for this long has its ends forgiven. */
const forgivenAfterMs = 600_000;
const defaultStopSignal = 15;

/** The record of an object that is seen for the first time: the restart it names counts as acted on. */
export function firstSeen(object: ObjectIdentity, task: NodeTask, bootId: string): ObjectRecord {
  const restartedAt = restartOf(task);
  const { restoreFrom } = task.spec;
  return {
    uid: object.uid,
    namespace: object.namespace,
    name: object.name,
    starts: 0,
    failures: 0,
    parked: false,
    bootId,
    stopping: stoppingOf(task, undefined),
    ...(restartedAt === undefined ? {} : { restartedAt }),
    ...(restoreFrom === undefined ? {} : { restoreFrom: restoreFrom.checkpointName }),
  };
}

/** How to end it, by its own fields, else as the image says. */
export function stoppingOf(task: NodeTask, imageSignal: number | undefined): ObjectRecord['stopping'] {
  const { stopSignal, terminationGracePeriodSeconds } = task.spec;
  const signal = stopSignal === undefined ? (imageSignal ?? defaultStopSignal) : parseSignal(stopSignal);
  return { signal, graceSeconds: terminationGracePeriodSeconds };
}

/** The restart that an object asks for by its annotation. */
export function restartOf(task: NodeTask): string | undefined {
  return task.metadata.annotations?.[restartedAtAnnotation];
}

/** A process of it was started. */
export function started(
  record: ObjectRecord,
  attempt: { readonly number: number; readonly hash: string; readonly startedAtMs: number },
): ObjectRecord {
  const run = record.run ?? { passedMs: 0, sinceMs: attempt.startedAtMs };
  return change(record, {
    starts: attempt.number + 1,
    begun: undefined,
    attempt: { ...attempt, runMsBefore: passedMs(run, attempt.startedAtMs), ended: false },
    run,
    backOff: undefined,
    outcome: undefined,
    stop: undefined,
    parked: false,
  });
}

/** Its process has ended: says how, and whether and when it starts again. */
export function ended(record: ObjectRecord, exit: Exit, task: NodeTask | undefined, nowMs: number): ObjectRecord {
  const { attempt } = record;
  if (!attempt) return record;
  const why = record.stop?.attempt === attempt.number ? record.stop.why : undefined;
  const outcome = outcomeOf(exit, why, task);
  const over = change(record, {
    attempt: { ...attempt, ended: true },
    stop: undefined,
    last: terminationOf(record, exit, why),
    applied: undefined,
  });
  if (outcome) {
    return change(over, {
      outcome: { kind: outcome, atMs: exit.atMs },
      run: over.run && setTicking(over.run, false, nowMs),
      parked: outcome === 'Stopped',
    });
  }
  if (why) return beginAgain(over);
  return backingOff(over, exit, nowMs);
}

/** A new run, whatever the last one came to: no back-off, a deadline of its own. */
export function beginAgain(record: ObjectRecord): ObjectRecord {
  return change(record, { outcome: undefined, run: undefined, backOff: undefined, failures: 0, parked: false });
}

/** No restart will follow although nothing runs now. */
export function finished(record: ObjectRecord, outcome: Outcome): ObjectRecord {
  return change(record, {
    outcome,
    backOff: undefined,
    run: record.run && setTicking(record.run, false, outcome.atMs),
    parked: outcome.kind === 'Stopped',
  });
}

/** Lets the run's time pass or stand still, and the wait for its next start as well. */
export function ticking(record: ObjectRecord, ticks: boolean, nowMs: number): ObjectRecord {
  const run = record.run && !record.outcome ? setTicking(record.run, ticks, nowMs) : record.run;
  const waited = record.backOff && setTicking(record.backOff.waited, ticks, nowMs);
  if (run === record.run && waited === record.backOff?.waited) return record;
  return change(record, {
    run,
    backOff: record.backOff && waited ? { ...record.backOff, waited } : undefined,
  });
}

function backingOff(record: ObjectRecord, exit: Exit, nowMs: number): ObjectRecord {
  const ranMs = passedMs(record.run, exit.atMs) - (record.attempt?.runMsBefore ?? 0);
  const failures = ranMs >= forgivenAfterMs ? 0 : record.failures;
  const ticks = record.run?.sinceMs !== undefined;
  return change(record, {
    failures: failures + 1,
    backOff: {
      delayMs: backoffMs(restartPolicy, failures, () => 0),
      waited: ticks ? { passedMs: 0, sinceMs: Math.min(nowMs, exit.atMs) } : { passedMs: 0 },
    },
  });
}

/** What the end means when no restart follows; undefined when one does. */
function outcomeOf(exit: Exit, why: StopReason | undefined, task: NodeTask | undefined): OutcomeKind | undefined {
  if (why === 'Stopped' || why === 'DeadlineExceeded') return why;
  if (why === 'Deleted') return 'Stopped';
  if (exit.reason === 'Checkpointed') return 'Checkpointed';
  if (why) return undefined;
  const policy = task?.spec.restartPolicy ?? 'Never';
  const kind = kindOf(exit);
  return policy === 'Never' || (policy === 'OnFailure' && kind === 'Completed') ? kind : undefined;
}

function kindOf(exit: Exit): 'Completed' | 'Error' | 'OOMKilled' | 'Lost' | 'Checkpointed' {
  if (exit.reason !== 'Exited') return exit.reason;
  return exit.status === 0 ? 'Completed' : 'Error';
}

function terminationOf(record: ObjectRecord, exit: Exit, why: StopReason | undefined): LastTermination {
  const { final } = exit;
  const signal = exit.status > 128 && exit.status <= 128 + 64 ? exit.status - 128 : undefined;
  return present<LastTermination>({
    exitStatus: exit.status,
    signal,
    reason: reasonOf(exit, why),
    message: messageOf(exit, why),
    startedAt: record.attempt && toTime(record.attempt.startedAtMs),
    finishedAt: toTime(exit.atMs),
    peakMemoryBytes: toCount(final?.peakMemoryBytes),
    cpuMilliseconds: toCount(final?.cpuUsageUsec, 1000n),
    throttledMilliseconds: toCount(final?.throttledUsec, 1000n),
    oomKills: toCount(final?.oomKills),
  });
}

function toCount(value: bigint | undefined, unit = 1n): number | undefined {
  return value === undefined ? undefined : Number(value / unit);
}

function reasonOf(exit: Exit, why: StopReason | undefined): string {
  if (exit.reason !== 'Exited') return exit.reason;
  if (why === 'DeadlineExceeded') return why;
  return why === undefined ? kindOf(exit) : 'Stopped';
}

const messages: Readonly<Record<StopReason, string>> = {
  Stopped: 'stopped by spec.runState',
  Replaced: 'stopped to be made anew from a changed spec',
  Restarted: 'stopped to be restarted in place',
  DeadlineExceeded: 'stopped because spec.activeDeadlineSeconds had passed',
  DriftCorrected: 'stopped because somebody else had started it',
  Deleted: 'stopped because its object was gone',
};

function messageOf(exit: Exit, why: StopReason | undefined): string | undefined {
  if (exit.reason === 'Lost') return 'nobody saw its end: the machine was rebooted, or its monitor was killed';
  if (exit.reason === 'OOMKilled') return 'the kernel killed it for want of memory';
  return why && messages[why];
}
