import type { Condition, ConditionType, NodeTaskStatus, TaskState } from '../node-task/types.ts';
import type { ObjectRecord, OutcomeKind } from './record.ts';
import { isAlive } from './plan-stop.ts';
import { toTime } from './time.ts';
import type { Hold, View } from './view.ts';

/** A condition before it is dated. */
interface Said {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

export interface ConditionFacts {
  readonly state: TaskState;
  readonly hold?: Hold;
}

/** The conditions of an object by kstatus' rules; Stalled is there only when it is true. */
export function conditions(view: View, facts: ConditionFacts): readonly Condition[] {
  const ready = readyCondition(view, facts);
  const said = [
    ready,
    succeeded(view),
    imageAvailable(view, facts),
    resourcesApplied(view),
    ...stalled(view, facts, ready),
  ];
  return said.map((one) => dated(one, view));
}

/** Whose status is as before keeps its time. */
function dated(said: Said, { record, object, nowMs }: View): Condition {
  const before = conditionOf(record?.status, said.type);
  return {
    ...said,
    observedGeneration: object.generation,
    lastTransitionTime: before?.status === said.status ? before.lastTransitionTime : toTime(nowMs),
  };
}

/** A condition by its type. */
export function conditionOf(status: NodeTaskStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

type Say = (status: Condition['status'], reason: string, message: string) => Said;

const say: Say = (status, reason, message) => ({ type: 'Ready', status, reason, message });

function readyCondition(view: View, { state, hold }: ConditionFacts): Said {
  const { object, record } = view;
  if (object.problems.length > 0) {
    const text = object.problems.map(({ path, rule }) => (path ? `${path}: ${rule}` : rule)).join('; ');
    return say('False', 'InvalidSpec', `Correct the object: ${text}`.slice(0, 4096));
  }
  if (hold) return say('False', hold.reason, hold.message.slice(0, 4096));
  const applied = resourcesApplied(view);
  if (applied.status === 'False') return { ...applied, type: 'Ready' };
  const outcome = record?.outcome;
  if (state === 'Stopped' && outcome) return readyWhenOver(outcome.kind, record);
  return readyInState(state);
}

function readyInState(state: TaskState): Said {
  switch (state) {
    case 'Running':
      return say('True', 'Running', 'It runs.');
    case 'Paused':
      return say('True', 'Paused', 'It is frozen; set runState to Running to let it go on.');
    case 'Created':
      return say('True', 'Created', 'It is made and not started; set runState to Running to start it.');
    case 'Pausing':
      return say('False', 'Pausing', 'It is being frozen.');
    case 'Stopped':
      return say('True', 'Stopped', 'It is stopped; set runState to Running to start it.');
    case 'Pending':
      return say('False', 'Pending', 'It is about to be started.');
  }
}

function readyWhenOver(kind: OutcomeKind, record: ObjectRecord | undefined): Said {
  if (kind === 'Completed') return say('True', 'Completed', 'It has done its work.');
  if (kind === 'Stopped') return say('True', 'Stopped', 'It is stopped; set runState to Running to start it.');
  return say('False', 'Failed', `${endingOf(kind, record)} Change the object to start it again.`);
}

function endingOf(kind: OutcomeKind, record: ObjectRecord | undefined): string {
  const status = record?.last?.exitStatus;
  switch (kind) {
    case 'Error':
      return `It ended with exit status ${status ?? 'unknown'} and is not started again.`;
    case 'OOMKilled':
      return 'The kernel killed it for want of memory, and it is not started again.';
    case 'DeadlineExceeded':
      return 'It was stopped because spec.activeDeadlineSeconds had passed.';
    case 'Lost':
      return 'Nobody saw its end, and it is not started again.';
    case 'Checkpointed':
      return 'It ended with its checkpoint.';
    case 'Completed':
      return 'It has done its work.';
    case 'Stopped':
      return 'It was stopped by spec.runState.';
  }
}

function succeeded({ record }: View): Said {
  const type = 'Succeeded';
  const outcome = record?.outcome;
  if (!outcome) return { type, status: 'Unknown', reason: 'NotFinished', message: 'It is not over yet.' };
  const message = endingOf(outcome.kind, record);
  if (outcome.kind === 'Stopped') return { type, status: 'Unknown', reason: 'Stopped', message };
  return { type, status: outcome.kind === 'Completed' ? 'True' : 'False', reason: outcome.kind, message };
}

function imageAvailable({ object, record, making, trouble, live }: View, { hold }: ConditionFacts): Said {
  const type = 'ImageAvailable';
  if (object.task?.spec.rootfs) {
    return { type, status: 'True', reason: 'NotNeeded', message: 'Its root file system is a folder of the node.' };
  }
  if (making?.phase === 'image') {
    return { type, status: 'False', reason: 'Pulling', message: 'The image is being pulled.' };
  }
  if (trouble?.reason === 'PullFailed' && hold?.reason === 'PullFailed') {
    return { type, status: 'False', reason: 'PullFailed', message: trouble.message.slice(0, 4096) };
  }
  if (record?.imageId !== undefined || live) {
    return { type, status: 'True', reason: 'Available', message: 'The image is on the node.' };
  }
  return { type, status: 'Unknown', reason: 'NotPulled', message: 'Nothing has needed the image yet.' };
}

function resourcesApplied({ live, record, notSupported }: View): Said {
  const type = 'ResourcesApplied';
  if (!isAlive(live) && live?.phase !== 'created') {
    return { type, status: 'Unknown', reason: 'NotRunning', message: 'There is no process to limit.' };
  }
  const problem = record?.applied?.attempt === live.attempt ? record.applied.problem : undefined;
  if (problem) return { type, status: 'False', reason: problem.reason, message: problem.message.slice(0, 4096) };
  if (notSupported.length === 0) {
    return { type, status: 'True', reason: 'Applied', message: 'The kernel has them as the spec says.' };
  }
  const fields = notSupported.map((field) => `spec.resources.${field}`).join(', ');
  return { type, status: 'False', reason: 'NotSupported', message: `This node cannot do ${fields}; the rest applies.` };
}

/** What ended badly is stalled too: nothing but a change of the object starts it again. */
function stalled({ record, object }: View, { hold, state }: ConditionFacts, ready: Said): readonly Said[] {
  const failed = state === 'Stopped' && ready.reason === 'Failed' && record?.outcome !== undefined;
  const lasting = hold?.stalled === true || failed || ready.reason === 'NotSupported' || object.problems.length > 0;
  if (!lasting) return [];
  return [{ type: 'Stalled', status: 'True', reason: ready.reason, message: ready.message }];
}
