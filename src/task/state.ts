import { FailedPreconditionError, NotFoundError } from '#errors/errors.ts';

/** containerd's statuses of a process, with `deleted` for one that is gone while somebody still holds it. */
export type Status = 'created' | 'running' | 'pausing' | 'paused' | 'stopped' | 'deleted';

/** The statuses of the transition table; `restoring` is a task created from a checkpoint and not yet started. */
export type Phase = Status | 'restoring';

/** What can be asked of a task, and `exited`, which happens to it. */
export type Verb =
  | 'start'
  | 'pause'
  | 'resume'
  | 'exec'
  | 'kill'
  | 'update'
  | 'checkpoint'
  | 'delete'
  | 'resize'
  | 'exited';

/**
 * Where each verb leads from each phase; itself means allowed without a change. What is not listed is refused. The guard,
 * the error's text, the tests and the documentation read this table.
 */
export const transitions = {
  created: {
    start: 'running',
    exec: 'created',
    kill: 'created',
    update: 'created',
    resize: 'created',
    delete: 'deleted',
    exited: 'stopped',
  },
  restoring: {
    start: 'running',
    kill: 'restoring',
    update: 'restoring',
    resize: 'restoring',
    delete: 'deleted',
    exited: 'stopped',
  },
  running: {
    pause: 'paused',
    exec: 'running',
    kill: 'running',
    update: 'running',
    checkpoint: 'running',
    resize: 'running',
    exited: 'stopped',
  },
  pausing: { kill: 'pausing', update: 'pausing', resize: 'pausing', exited: 'stopped' },
  paused: {
    resume: 'running',
    kill: 'paused',
    update: 'paused',
    checkpoint: 'paused',
    resize: 'paused',
    exited: 'stopped',
  },
  stopped: { delete: 'deleted', resize: 'stopped' },
  deleted: {},
} as const satisfies Record<Phase, Partial<Record<Verb, Phase>>>;

/** The same for a process that was added to a task by exec. */
export const execTransitions = {
  created: { start: 'running', delete: 'deleted', resize: 'created', exited: 'stopped' },
  running: { kill: 'running', resize: 'running', exited: 'stopped' },
  stopped: { delete: 'deleted' },
  deleted: {},
} as const satisfies Record<ExecPhase, Partial<Record<Verb, ExecPhase>>>;

export type ExecPhase = Exclude<Status, 'pausing' | 'paused'>;

/** containerd's own sentences for what it refuses; clients and their users know them. The first matching row counts. */
const containerdTexts: readonly (readonly [verb: Verb, phases: readonly Phase[], text: string])[] = [
  ['start', ['running', 'pausing'], 'cannot start a running process'],
  ['start', ['paused'], 'cannot start a paused process'],
  ['start', ['stopped'], 'cannot start a stopped process'],
  ['start', ['deleted'], 'cannot start a deleted process'],
  ['pause', ['created', 'restoring'], 'cannot pause task in created state'],
  ['pause', ['paused', 'pausing'], 'cannot pause a paused container'],
  ['pause', ['stopped'], 'cannot pause a stopped container'],
  ['pause', ['deleted'], 'cannot pause a deleted process'],
  ['resume', ['created', 'restoring'], 'cannot resume task in created state'],
  ['resume', ['running', 'pausing'], 'cannot resume a running process'],
  ['resume', ['stopped'], 'cannot resume a stopped container'],
  ['resume', ['deleted'], 'cannot resume a deleted process'],
  ['exec', ['restoring'], 'cannot exec in a created state'],
  ['exec', ['paused', 'pausing'], 'cannot exec in a paused state'],
  ['exec', ['stopped'], 'cannot exec in a stopped state'],
  ['exec', ['deleted'], 'cannot exec in a deleted state'],
  ['checkpoint', ['created', 'restoring'], 'cannot checkpoint a task in created state'],
  ['checkpoint', ['stopped'], 'cannot checkpoint a stopped container'],
  ['checkpoint', ['deleted', 'pausing'], 'cannot checkpoint a deleted process'],
  ['update', ['stopped'], 'cannot update a stopped container'],
  ['update', ['deleted'], 'cannot update a deleted process'],
  ['delete', ['running'], 'cannot delete a running process'],
  ['delete', ['paused', 'pausing'], 'cannot delete a paused process'],
  ['resize', ['stopped'], 'cannot resize a stopped container'],
];

/**
 * The phase that `verb` leads to. Throws FailedPreconditionError with containerd's text, then ours, where the table has
 * no such step; NotFoundError for killing what has ended and for deleting what is gone, because clients branch on that.
 */
export function follow(phase: Phase, verb: Verb, who: string): Phase {
  const next = (transitions[phase] as Partial<Record<Verb, Phase>>)[verb];
  if (next) return next;
  throw refusal(phase, verb, `task ${who}`, verb === 'delete' ? 'failed to delete task: ' : '');
}

/** The same for an exec; a kill before its start is a failed precondition, as in containerd. */
export function followExec(phase: ExecPhase, verb: Verb, who: string): ExecPhase {
  const next = (execTransitions[phase] as Partial<Record<Verb, ExecPhase>>)[verb];
  if (next) return next;
  if (verb === 'kill' && phase === 'created') {
    throw new FailedPreconditionError(`process not created: failed precondition: process ${who} is created`);
  }
  throw refusal(phase, verb, `process ${who}`);
}

function refusal(phase: Phase, verb: Verb, who: string, prefix = ''): Error {
  const says = phase === 'restoring' ? 'created from a checkpoint' : phase;
  if (verb === 'kill') {
    const text = phase === 'deleted' ? 'cannot kill a deleted process' : 'process already finished';
    return new NotFoundError(`${text}: not found: ${who} is ${says}`);
  }
  if (verb === 'delete' && phase === 'deleted') {
    return new NotFoundError(`cannot delete a deleted process: not found: ${who} is deleted`);
  }
  const row = containerdTexts.find(([name, phases]) => name === verb && phases.includes(phase));
  const text = row?.[2] ?? `cannot ${verb} a ${says} process`;
  return new FailedPreconditionError(`${prefix}${text}: ${who} is ${says}`);
}

/** The status that clients see of a phase. */
export function toStatus(phase: Phase): Status {
  return phase === 'restoring' ? 'created' : phase;
}
