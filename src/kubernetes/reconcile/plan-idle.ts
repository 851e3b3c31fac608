import { beginAgain, finished } from './history.ts';
import { deadlineAtMs, deadlinePassed } from './plan-alive.ts';
import { backOffLeftMs, change } from './record.ts';
import type { ObjectRecord } from './record.ts';
import type { ObjectEvent } from './source.ts';
import type { Hold, KnownView, Plan } from './view.ts';

/** What to do about an object whose task has no process: it never ran, has ended, or is created. */
export function planIdle(view: KnownView): Plan {
  if (view.task.spec.runState === 'Stopped') return planStopped(view);
  return planBeginning(view) ?? planCreated(view) ?? planMaking(view);
}

function planStopped({ record, live, making, nowMs, task }: KnownView): Plan {
  if (making) return { action: { do: 'cancelMaking' } };
  if (live && live.phase !== 'stopped') return { action: { do: 'endRun' } };
  if (record.parked) return planFinished(record, task.spec.ttlSecondsAfterFinished, nowMs);
  // An end of its own stays what it is; a restart that was still to come does not come.
  return remember(
    record.outcome ? change(record, { parked: true }) : finished(record, { kind: 'Stopped', atMs: nowMs }),
  );
}

/** Whether a run begins, goes on or is over. Undefined: there is to be a process. */
function planBeginning(view: KnownView): Plan | undefined {
  const { record, hash, nowMs, task } = view;
  if (record.parked) return remember(beginAgain(record));
  const changed = record.attempt !== undefined && record.attempt.hash !== hash;
  if (changed && (record.outcome || record.backOff)) {
    return remember(beginAgain(record), [replaced]);
  }
  if (record.outcome) return planFinished(record, task.spec.ttlSecondsAfterFinished, nowMs);
  if (!deadlinePassed(view)) return undefined;
  const note = 'It is not started again: spec.activeDeadlineSeconds have passed';
  return remember(finished(record, { kind: 'DeadlineExceeded', atMs: nowMs }), [
    { type: 'Warning', reason: 'DeadlineExceeded', note },
  ]);
}

const replaced: ObjectEvent = { type: 'Normal', reason: 'Replaced', note: 'Making it anew from the changed spec' };

function planFinished(record: ObjectRecord, ttlSeconds: number | undefined, nowMs: number): Plan {
  if (ttlSeconds === undefined || !record.outcome || record.outcome.kind === 'Stopped') return {};
  const atMs = record.outcome.atMs + ttlSeconds * 1000;
  return atMs <= nowMs ? { action: { do: 'deleteObject' } } : { againAtMs: atMs };
}

/** A task that is made and waits for its start. */
function planCreated(view: KnownView): Plan | undefined {
  const { live, task, hash, record, bootId } = view;
  if (!live || live.phase === 'stopped' || live.phase === 'deleted') return undefined;
  if (live.hash !== hash) return { action: { do: 'endRun' } };
  if (!isAsAsked(live.resources, task)) return { action: { do: 'endRun' } };
  if (task.spec.runState === 'Created') return {};
  if (record.begun?.attempt !== live.attempt) {
    return remember(change(record, { begun: { attempt: live.attempt, bootId } }));
  }
  return troubled(view) ?? { action: { do: 'start' } };
}

/** What was never started is made anew with other limits: nothing is lost by it. */
function isAsAsked(resources: unknown, { spec }: KnownView['task']): boolean {
  return JSON.stringify(resources) === JSON.stringify(spec.resources ?? null);
}

function planMaking(view: KnownView): Plan {
  const { record, live, making, hash, nowMs, task } = view;
  if (making) {
    return making.hash === hash
      ? { hold: makingHold(making.phase), againAtMs: deadlineAtMs(view) }
      : { action: { do: 'cancelMaking' } };
  }
  const leftMs = backOffLeftMs(record, nowMs);
  if (leftMs > 0) {
    const still = task.spec.runState === 'Paused';
    const againAtMs = still ? Infinity : Math.min(nowMs + leftMs, deadlineAtMs(view));
    return { hold: backingOff(record, leftMs, still), againAtMs };
  }
  const waiting = waitingForSource(view);
  if (waiting) return { hold: waiting };
  if (live) return { action: { do: 'endRun' } };
  return troubled(view) ?? { action: { do: 'make', attempt: record.starts, hash, drift: wasThere(view) } };
}

/** Whether it had been made and waited as it should: somebody else has removed it. */
function wasThere({ reached, object, record }: KnownView): boolean {
  return reached?.generation === object.generation && reached.attempt === record.starts;
}

function makingHold(phase: string): Hold {
  return phase === 'image'
    ? { reason: 'Pulling', message: 'Its image is being pulled.' }
    : { reason: 'Pending', message: 'It is being made.' };
}

function backingOff(record: ObjectRecord, leftMs: number, still: boolean): Hold {
  const ending = `It has ended ${record.failures} ${record.failures === 1 ? 'time' : 'times'} in a row`;
  const last = record.last ? ` (${record.last.reason}, exit status ${record.last.exitStatus})` : '';
  const next = still
    ? 'it is started again some time after runState is Running'
    : `it is started again ${delayText(record, leftMs)}`;
  return { reason: 'BackOff', message: `${ending}${last}; ${next}.` };
}

/** The whole wait, not what is left of it: a status that changed by itself each second would be written each second. */
function delayText(record: ObjectRecord, leftMs: number): string {
  return `${Math.round((record.backOff?.delayMs ?? leftMs) / 1000)} s after its end`;
}

/** After a reboot nothing starts on the word of a cache, unless it says that it may. */
function waitingForSource({ object, record, bootId, task }: KnownView): Hold | undefined {
  if (object.confirmed || record.bootId === bootId || task.spec.rebootPolicy === 'StartFromCache') return undefined;
  return {
    reason: 'WaitingForAPIServer',
    message:
      'The machine was rebooted: it starts when the API server has been heard, or with rebootPolicy StartFromCache.',
  };
}

/** What failed is tried again later, and at once when the object has changed. */
function troubled({ trouble, object, hash, nowMs }: KnownView): Plan | undefined {
  if (!trouble || trouble.retryAtMs <= nowMs) return undefined;
  if (trouble.hash !== hash || trouble.generation !== object.generation) return undefined;
  const { reason, message, terminal, retryAtMs } = trouble;
  return { hold: { reason, message, ...(terminal ? { stalled: true } : {}) }, againAtMs: retryAtMs };
}

function remember(record: ObjectRecord, events: readonly ObjectEvent[] = []): Plan {
  return { action: { do: 'remember', record, events } };
}
