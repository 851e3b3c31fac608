import { describe, expect, it } from 'vitest';
import type { Exit } from '#task/runtime.ts';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { containerHash } from './container-hash.ts';
import { firstSeen, started, ended, stoppingOf } from './history.ts';
import { planRemoval } from './plan-removal.ts';
import { planTask } from './plan.ts';
import { change, type ObjectRecord } from './record.ts';
import type { Action, LiveTask, Plan, View } from './view.ts';

const now = 1_700_000_000_000;
const identity = { namespace: 'default', name: 'web', uid: 'u' };

type Spec = Readonly<Record<string, unknown>>;

/** A view of an object with this spec, of which one start was made with `madeFrom`. */
function view(spec: Spec, more: Partial<View> = {}, generation = 1): View {
  const object = {
    ...identity,
    generation,
    task: nodeTask('web', spec),
    problems: [],
    deleting: false,
    confirmed: true,
  };
  return { nowMs: now, bootId: 'boot', nodeName: 'node-a', object, notSupported: [], ...more };
}

function recordOf(spec: Spec = {}): ObjectRecord {
  return firstSeen(identity, nodeTask('web', spec), 'boot');
}

/** Started a minute ago as attempt 0. */
function startedRecord(spec: Spec = {}): ObjectRecord {
  const hash = containerHash(nodeTask('web', spec).spec);
  return started(recordOf(spec), { number: 0, hash, startedAtMs: now - 60_000 });
}

function endedRecord(spec: Spec, exit: Partial<Exit> = {}): ObjectRecord {
  const end: Exit = { status: 1, atMs: now, reason: 'Exited', ...exit };
  return ended(startedRecord(spec), end, nodeTask('web', spec), now);
}

function live(phase: LiveTask['phase'], spec: Spec = {}, more: Partial<LiveTask> = {}): LiveTask {
  const task = nodeTask('web', spec);
  return {
    ...{ phase, pid: 4711, attempt: 0, hash: containerHash(task.spec), limitsDiffer: false },
    resources: task.spec.resources ?? null,
    ...(phase === 'created' ? {} : { startedAtMs: now - 60_000 }),
    ...more,
  };
}

/** The action in a few words, or what is waited for. */
function inShort({ action, hold, againAtMs }: Plan): string {
  if (action) return wordsOf(action);
  const again = againAtMs === undefined || !Number.isFinite(againAtMs) ? '' : ` again ${(againAtMs - now) / 1000}`;
  return `${hold ? `${hold.stalled ? 'stalled ' : ''}${hold.reason}` : 'as asked'}${again}`;
}

function wordsOf(action: Action): string {
  switch (action.do) {
    case 'remember':
      return ['remember', ...action.events.map(({ reason }) => reason)].join(' ');
    case 'signal':
      return `signal ${action.signal} ${action.record.stop?.why}`;
    case 'make':
      return `make ${action.attempt}`;
    case 'pause':
    case 'resume':
    case 'update':
      return action.drift ? `${action.do} drift` : action.do;
    case 'cancelMaking':
    case 'start':
    case 'kill':
    case 'endRun':
    case 'remove':
    case 'deleteObject':
      return action.do;
  }
}

const stopped = { runState: 'Stopped' };
const paused = { runState: 'Paused' };
const created = { runState: 'Created' };
const making = { hash: containerHash(nodeTask('web').spec), phase: 'making' };
const still = (record: ObjectRecord) => change(record, { run: { passedMs: 60_000 } });

describe('planTask', () => {
  it.each<[title: string, expected: string, View]>([
    ['an object that is seen first', 'remember', view({})],
    ['one that was never started', 'make 0', view({}, { record: recordOf() })],
    ['one that is being made', 'Pending', view({}, { record: recordOf(), making })],
    [
      'one whose image is being pulled',
      'Pulling',
      view({}, { record: recordOf(), making: { ...making, phase: 'image' } }),
    ],
    ['one that is made of an older spec', 'cancelMaking', view({ tty: true }, { record: recordOf(), making })],
    ['one that is made and to be stopped', 'cancelMaking', view(stopped, { record: recordOf(), making })],
    ['a created one', 'remember', view({}, { record: recordOf(), live: live('created') })],
    [
      'a created one of which the start is on record',
      'start',
      view({}, { record: change(recordOf(), { begun: { attempt: 0, bootId: 'boot' } }), live: live('created') }),
    ],
    ['a created one that is to be so', 'as asked', view(created, { record: recordOf(), live: live('created') })],
    ['a created one of an older spec', 'endRun', view({ tty: true }, { record: recordOf(), live: live('created') })],
    ['a created one that is to be stopped', 'endRun', view(stopped, { record: recordOf(), live: live('created') })],
    ['one that has started unnoticed', 'remember Started', view({}, { record: recordOf(), live: live('running') })],
    ['one that runs', 'as asked again 10', view({}, { record: startedRecord(), live: live('running') })],
    [
      'one with a deadline',
      'as asked again 5',
      view({ activeDeadlineSeconds: 65 }, { record: startedRecord(), live: live('running') }),
    ],
    [
      'one past its deadline',
      'signal 15 DeadlineExceeded',
      view({ activeDeadlineSeconds: 60 }, { record: startedRecord(), live: live('running') }),
    ],
    [
      'one that is to be stopped',
      'signal 15 Stopped',
      view(stopped, { record: startedRecord(), live: live('running') }),
    ],
    [
      'one of an older spec',
      'signal 15 Replaced',
      view({ tty: true }, { record: startedRecord(), live: live('running') }),
    ],
    ['one that is to be frozen', 'pause', view(paused, { record: still(startedRecord()), live: live('running') })],
    [
      'a frozen one that is to be so',
      'as asked again 10',
      view(paused, { record: still(startedRecord()), live: live('paused') }),
    ],
    [
      'one that is being frozen',
      'Pausing again 10',
      view(paused, { record: still(startedRecord()), live: live('pausing') }),
    ],
    ['a frozen one that is to run', 'resume', view({}, { record: startedRecord(), live: live('paused') })],
    [
      'one that somebody has frozen',
      'resume drift',
      view({}, { record: startedRecord(), live: live('paused'), reached: { generation: 1, attempt: 0 } }),
    ],
    [
      'one whose limits somebody has set',
      'update drift',
      view({}, { record: startedRecord(), live: live('running', {}, { limitsDiffer: true }) }),
    ],
    [
      'one whose resources change',
      'update',
      view({ resources: { limits: { pids: 5 } } }, { record: startedRecord(), live: live('running') }),
    ],
    [
      'one that runs and is to be created',
      'stalled AlreadyStarted again 10',
      view(created, { record: startedRecord(), live: live('running') }),
    ],
    [
      'one that has ended unnoticed',
      'remember Exited',
      view({}, { record: startedRecord(), live: live('stopped', {}, { exit: exitWith(1) }) }),
    ],
    ['one that has gone unnoticed', 'remember Lost', view({}, { record: startedRecord() })],
    ['one that has ended once', 'endRun', view({}, { record: endedRecord({}), live: live('stopped') })],
    ['one whose ended task is gone', 'make 1', view({}, { record: endedRecord({}) })],
    [
      'one that has ended twice in a row',
      'BackOff again 10',
      view({}, { record: ended({ ...startedRecord(), failures: 1 }, exitWith(1), nodeTask('web'), now) }),
    ],
    ['one that backs off and is to be frozen', 'BackOff', view(paused, { record: backingOffStill() })],
    [
      'one that backs off and whose spec changes',
      'remember Replaced',
      view({ tty: true }, { record: ended({ ...startedRecord(), failures: 3 }, exitWith(1), nodeTask('web'), now) }),
    ],
    [
      'one that backs off and is to be stopped',
      'remember',
      view(stopped, { record: ended({ ...startedRecord(), failures: 3 }, exitWith(1), nodeTask('web'), now) }),
    ],
    [
      'one that is finished',
      'as asked',
      view({ restartPolicy: 'Never' }, { record: endedRecord({ restartPolicy: 'Never' }) }),
    ],
    [
      'a finished one with a time to live',
      'as asked again 30',
      view(
        { restartPolicy: 'Never', ttlSecondsAfterFinished: 30 },
        { record: endedRecord({ restartPolicy: 'Never' }) },
      ),
    ],
    [
      'a finished one whose time is over',
      'deleteObject',
      view({ restartPolicy: 'Never', ttlSecondsAfterFinished: 0 }, { record: endedRecord({ restartPolicy: 'Never' }) }),
    ],
    [
      'a finished one whose spec changes',
      'remember Replaced',
      view({ restartPolicy: 'Never', tty: true }, { record: endedRecord({ restartPolicy: 'Never' }) }),
    ],
    [
      'a finished one that has been stopped since',
      'remember',
      view({ restartPolicy: 'Never' }, { record: { ...endedRecord({ restartPolicy: 'Never' }), parked: true } }),
    ],
    ['one of another node', 'stalled NodeMismatch', view({}, { record: recordOf(), nodeName: 'node-b' })],
    [
      'one whose checkpoint changes',
      'stalled InvalidSpec',
      view({ restoreFrom: { checkpointName: 'c' } }, { record: recordOf() }),
    ],
    [
      'one after a reboot on the word of a cache',
      'WaitingForAPIServer',
      { ...view({}, { record: recordOf(), bootId: 'next' }), object: { ...view({}).object, confirmed: false } },
    ],
    [
      'one whose start was cut off by a reboot',
      'remember Lost',
      view({}, { record: change(recordOf(), { begun: { attempt: 0, bootId: 'boot' } }), bootId: 'next' }),
    ],
    [
      'one that could not be made',
      'PullFailed again 20',
      view({}, { record: recordOf(), trouble: { ...trouble(), retryAtMs: now + 20_000 } }),
    ],
    ['one that may be tried again', 'make 0', view({}, { record: recordOf(), trouble: trouble() })],
    [
      'one that could not be made as it was before',
      'make 0',
      view({}, { record: recordOf(), trouble: { ...trouble(), retryAtMs: now + 20_000 } }, 2),
    ],
  ])('%s: %s', (_title, expected, given) => {
    expect(inShort(planTask(given))).toBe(expected);
  });

  it('ends a process step by step: signal, thaw, patience, KILL', () => {
    const spec = { ...stopped, terminationGracePeriodSeconds: 20, stopSignal: 'INT' };
    const before = change(startedRecord(spec), { stopping: stoppingOf(nodeTask('web', spec), undefined) });
    const first = planTask(view(spec, { record: before, live: live('paused', spec) }));
    expect(inShort(first)).toBe('signal 2 Stopped');
    if (first.action?.do !== 'signal') throw new Error('no signal');
    const { record } = first.action;
    expect(inShort(planTask(view(spec, { record, live: live('paused', spec) })))).toBe('resume');
    expect(inShort(planTask(view(spec, { record, live: live('running', spec) })))).toBe('Stopping again 20');
    // It is carried through although the object changes its mind.
    const later = { record, live: live('running', spec), nowMs: now + 20_000 };
    expect(inShort(planTask(view({ ...spec, runState: 'Running' }, later)))).toBe('kill');
  });

  it('never asks twice for the same at once, except to kill', () => {
    const plan = planTask(view({}, { record: startedRecord(), live: live('running') }));
    expect(plan.action).toBeUndefined();
  });
});

describe('planRemoval', () => {
  it.each<[string, Parameters<typeof planRemoval>[0]]>([
    ['cancelMaking', { nowMs: now, making: true, record: recordOf() }],
    ['signal 15 Deleted', { nowMs: now, making: false, record: startedRecord(), live: live('running') }],
    ['remove', { nowMs: now, making: false, record: startedRecord(), live: live('stopped') }],
    ['remove', { nowMs: now, making: false, record: recordOf(), live: live('created') }],
    ['remove', { nowMs: now, making: false, record: endedRecord({}) }],
  ])('%s', (expected, given) => {
    expect(inShort(planRemoval(given))).toBe(expected);
  });
});

function exitWith(status: number): Exit {
  return { status, atMs: now, reason: 'Exited' };
}

function backingOffStill(): ObjectRecord {
  const record = ended({ ...still(startedRecord()), failures: 2 }, exitWith(1), nodeTask('web'), now);
  return change(record, { parked: false });
}

function trouble(): NonNullable<View['trouble']> {
  return {
    ...{ reason: 'PullFailed', message: 'no registry', terminal: false, failures: 1 },
    ...{ retryAtMs: now, generation: 1, hash: making.hash },
  };
}
