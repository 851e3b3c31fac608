import { conditionOf, conditions } from './conditions.ts';
import type { AppliedReading } from './applied.ts';
import type { ObjectRecord } from './record.ts';
import { isAlive } from './plan-stop.ts';
import type { SourceObject } from './source.ts';
import { present } from './present.ts';
import { toTime } from './time.ts';
import type { NodeTaskStatus, TaskState } from '../node-task/types.ts';
import type { Hold, LiveTask, View } from './view.ts';

/** What a status is made of besides the view: what the plan waits for, and what the kernel says. */
export interface StatusFacts {
  readonly hold?: Hold;
  readonly containerId: string | undefined;
  readonly applied?: AppliedReading;
}

/** What is said of an object: pure, and equal for equal views, so that nothing is written that did not change. */
export function nodeTaskStatus(view: View, facts: StatusFacts): NodeTaskStatus {
  const { object, record, live } = view;
  const state = stateOf(view);
  const hasProcess = isAlive(live) || live?.phase === 'created';
  const last = record?.last;
  const over = state === 'Stopped' ? last : undefined;
  return present<NodeTaskStatus>({
    observedGeneration: object.generation,
    state,
    pid: hasProcess ? live?.pid : undefined,
    restartCount: Math.max(0, (record?.starts ?? 0) - 1),
    startedAt: record?.attempt && toTime(record.attempt.startedAtMs),
    exitStatus: over?.exitStatus,
    finishedAt: over?.finishedAt,
    imageID: record?.imageId,
    containerID: facts.containerId === undefined ? undefined : `runlet://${facts.containerId}`,
    resources: hasProcess ? facts.applied : undefined,
    lastTermination: last,
    restartedAt: record?.restartedAt,
    conditions: conditions(view, { state, ...(facts.hold ? { hold: facts.hold } : {}) }),
  });
}

/**
 * Whether somebody waits for just this status: an end, that what was asked for is so now, or that it can never be. Such a one
 * goes before the rate limit; there is at most one for each change of the object and each start, and starts have their own
 * back-off.
 */
export function isUrgent(before: NodeTaskStatus | undefined, after: NodeTaskStatus): boolean {
  if (outcomeOf(before) !== outcomeOf(after)) return true;
  if (conditionOf(after, 'Stalled') && !conditionOf(before, 'Stalled')) return true;
  if (after.state === 'Stopped' && before?.state !== 'Stopped') return true;
  const reached = reachedGeneration(after);
  return reached !== undefined && reached !== reachedGeneration(before);
}

/** The generation of the object whose wish is fulfilled. */
function reachedGeneration(status: NodeTaskStatus | undefined): number | undefined {
  const ready = conditionOf(status, 'Ready');
  return ready?.status === 'True' ? (ready.observedGeneration ?? 0) : undefined;
}

function outcomeOf(status: NodeTaskStatus | undefined): string {
  return conditionOf(status, 'Succeeded')?.status ?? 'Unknown';
}

/** Whether nothing is left to say: times of transition follow from the rest. */
export function sameStatus(a: NodeTaskStatus | undefined, b: NodeTaskStatus): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** The state for people. */
export function stateOf({ live, record, object }: View): TaskState {
  if (live && live.phase !== 'stopped' && live.phase !== 'deleted') return liveState(live, object);
  return isOver(record) ? 'Stopped' : 'Pending';
}

/** What waits for its start is Created only where that is what was asked for. */
function liveState(live: LiveTask, { task }: SourceObject): TaskState {
  switch (live.phase) {
    case 'created':
    case 'restoring':
      return task?.spec.runState === 'Created' ? 'Created' : 'Pending';
    case 'running':
      return 'Running';
    case 'pausing':
      return 'Pausing';
    case 'paused':
      return 'Paused';
    case 'stopped':
    case 'deleted':
      return 'Stopped';
  }
}

function isOver(record: ObjectRecord | undefined): boolean {
  return record?.outcome !== undefined;
}
