import { beginAgain, ended, firstSeen, restartOf, started, stoppingOf, ticking } from './history.ts';
import { containerHash } from './container-hash.ts';
import { planAlive } from './plan-alive.ts';
import { planIdle } from './plan-idle.ts';
import { isAlive } from './plan-stop.ts';
import { change } from './record.ts';
import type { ObjectRecord } from './record.ts';
import type { ObjectEvent } from './source.ts';
import { endEvents } from './end-events.ts';
import type { KnownView, LiveTask, Plan, View } from './view.ts';
import { lostExit } from '#task/exits.ts';
import type { NodeTask } from '../node-task/types.ts';
import { problemText } from '../node-task/problem.ts';

/**
 * What to do next about an object that is not being deleted, so that its task becomes what its spec asks for. One step: after it
 * the world is looked at again. Pure.
 */
export function planTask(view: View): Plan {
  const { object, record } = view;
  const { task } = object;
  if (!task) return invalid(view);
  if (!record) return remember(firstSeen(object, task, view.bootId));
  if (task.spec.nodeName !== view.nodeName) return otherNode(view, task);
  if (task.spec.restoreFrom?.checkpointName !== record.restoreFrom) return changedForGood();
  const known: KnownView = { ...view, task, record, hash: containerHash(task.spec) };
  return keepUp(known) ?? account(known) ?? act(known);
}

/** What is to be remembered of the object itself before anything else. */
function keepUp({ task, record, nowMs }: KnownView): Plan | undefined {
  const stopping = stoppingOf(task, record.imageSignal);
  if (stopping.signal !== record.stopping.signal || stopping.graceSeconds !== record.stopping.graceSeconds) {
    return remember(change(record, { stopping }));
  }
  // Time stands still while it is to be frozen, and also before it has been.
  const ticked = ticking(record, task.spec.runState !== 'Paused', nowMs);
  return ticked === record ? undefined : remember(ticked);
}

/** Accounts for starts and ends that have happened, in their order. */
function account(view: KnownView): Plan | undefined {
  const { live, record } = view;
  if (live && record.attempt?.number !== live.attempt && hasStarted(live, record)) return accountStart(view);
  const exit = endOf(view);
  if (!exit || !record.attempt || record.attempt.ended) return lostBeforeStart(view);
  const next = ended(record, exit, view.task, view.nowMs);
  const events = endEvents(record, next, exit);
  // An end that was seen leaves its task, unless somebody else takes it away.
  const removed = !live && view.seenExit?.attempt === record.attempt.number;
  return remember(next, removed ? [...events, removedByOthers] : events);
}

const removedByOthers: ObjectEvent = {
  type: 'Warning',
  reason: 'DriftCorrected',
  note: 'Somebody else had removed its task; its restart policy decides',
};

function accountStart({ live, record, task, nowMs, bootId }: KnownView): Plan | undefined {
  if (!live) return undefined;
  const { attempt: number, hash } = live;
  const next = { ...started(record, { number, hash, startedAtMs: live.startedAtMs ?? nowMs }), bootId };
  const notes = startEvents(number, record.restoreFrom);
  // Nobody here was about to start it, nor does its object ask for that.
  const drift = task.spec.runState === 'Created' && record.begun?.attempt !== number && isAlive(live);
  if (!drift) return remember(next, notes);
  const killAtMs = nowMs + record.stopping.graceSeconds * 1000;
  return {
    action: {
      do: 'signal',
      signal: record.stopping.signal,
      record: change(next, { stop: { why: 'DriftCorrected', attempt: number, killAtMs } }),
      events: [{ type: 'Warning', reason: 'DriftCorrected', note: 'Somebody else started it; making it anew' }],
    },
  };
}

/** Only the first start of an object is from its checkpoint. */
function startEvents(number: number, restoreFrom: string | undefined): readonly ObjectEvent[] {
  const start: ObjectEvent = { type: 'Normal', reason: 'Started', note: `Started it (start ${number + 1})` };
  if (number > 0 || restoreFrom === undefined) return [start];
  const note = `Restored it from NodeTaskCheckpoint ${restoreFrom}: its processes keep within its spec`;
  return [{ type: 'Normal', reason: 'Restored', note }, start];
}

/** A start that was about to be when the machine went down: whether it was, nobody knows, and it is not tried twice. */
function lostBeforeStart({ live, record, bootId, nowMs, task }: KnownView): Plan | undefined {
  const { begun } = record;
  if (live || !begun || begun.bootId === bootId) return undefined;
  const before = started(record, { number: begun.attempt, hash: containerHash(task.spec), startedAtMs: nowMs });
  const exit = lostExit(nowMs);
  const next = ended(before, exit, task, nowMs);
  return remember(next, endEvents(before, next, exit));
}

function endOf({ live, record, seenExit, making, nowMs }: KnownView): ReturnType<typeof lostExit> | undefined {
  if (live?.phase === 'stopped') return live.exit ?? lostExit(nowMs);
  if (live || making) return undefined;
  return seenExit?.attempt === record.attempt?.number ? seenExit?.exit : lostExit(nowMs);
}

/** What ended before anybody was about to start it has never run: somebody else has killed or removed it. */
function hasStarted(live: LiveTask, { begun }: ObjectRecord): boolean {
  if (live.phase !== 'stopped') return isAlive(live);
  return live.startedAtMs !== undefined || begun?.attempt === live.attempt;
}

function act(view: KnownView): Plan {
  const { record, task } = view;
  const restart = restartOf(task);
  if (restart !== undefined && restart !== record.restartedAt && !isAlive(view.live)) {
    const noted = change(record, { restartedAt: restart });
    // While it is to be stopped a restart is only taken note of.
    if (task.spec.runState === 'Stopped' || !hasRun(record)) return remember(noted);
    return remember(beginAgain(noted), [{ type: 'Normal', reason: 'Restarted', note: 'Restarting it in place' }]);
  }
  return isAlive(view.live) ? planAlive({ ...view, live: view.live }) : planIdle(view);
}

function hasRun(record: ObjectRecord): boolean {
  return record.attempt !== undefined;
}

function remember(record: ObjectRecord, events: readonly ObjectEvent[] = []): Plan {
  return { action: { do: 'remember', record, events } };
}

/** What runs goes on as it is: nobody knows what is wanted. */
function invalid({ object }: View): Plan {
  const problems = object.problems.map(problemText).join('; ');
  return { hold: { reason: 'InvalidSpec', message: `Correct the object: ${problems}`, stalled: true } };
}

function otherNode({ nodeName }: View, task: NodeTask): Plan {
  return {
    hold: {
      reason: 'NodeMismatch',
      message: `The object names node ${task.spec.nodeName}, this is ${nodeName}: correct spec.nodeName.`,
      stalled: true,
    },
  };
}

function changedForGood(): Plan {
  return {
    hold: {
      reason: 'InvalidSpec',
      message: 'spec.restoreFrom never changes: delete the object and create it anew.',
      stalled: true,
    },
  };
}
