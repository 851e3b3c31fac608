import { describe, expect, it } from 'vitest';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { ended, firstSeen, finished, started } from './history.ts';
import { change } from './record.ts';
import { isUrgent, nodeTaskStatus } from './status.ts';
import type { Hold, LiveTask, View } from './view.ts';

const now = 1_700_000_000_000;
const identity = { namespace: 'default', name: 'web', uid: 'u' };
const seen = firstSeen(identity, nodeTask('web'), 'boot');
const begun = started(seen, { number: 0, hash: 'h', startedAtMs: now - 5000 });
const live: LiveTask = {
  ...{ phase: 'running', pid: 4711, attempt: 0, hash: 'h', resources: null, limitsDiffer: false },
  startedAtMs: now - 5000,
};

function view(more: Partial<View>, spec: Readonly<Record<string, unknown>> = {}): View {
  const object = {
    ...identity,
    generation: 3,
    task: nodeTask('web', spec),
    problems: [],
    deleting: false,
    confirmed: true,
  };
  return { nowMs: now, bootId: 'boot', nodeName: 'node-a', object, notSupported: [], ...more };
}

function endedWith(status: number, reason: 'Exited' | 'OOMKilled' | 'Lost' | 'Checkpointed' = 'Exited') {
  return ended(begun, { status, reason, atMs: now }, nodeTask('web', { restartPolicy: 'Never' }), now);
}

/** Every condition as `type=status/reason`, the usual ones left out. */
function inShort(given: View, hold?: Hold): string {
  const { state, conditions = [] } = nodeTaskStatus(given, {
    containerId: 'k8s.default/web',
    ...(hold ? { hold } : {}),
  });
  const usual = [
    'Succeeded=Unknown/NotFinished',
    'ImageAvailable=Unknown/NotPulled',
    'ResourcesApplied=Unknown/NotRunning',
  ];
  const said = conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
  return [state, ...said.filter((text) => !usual.includes(text))].join(' ');
}

const ok = 'ImageAvailable=True/Available ResourcesApplied=True/Applied';

describe('nodeTaskStatus', () => {
  it.each<[string, View, Hold?]>([
    ['Pending Ready=False/Pending', view({})],
    [
      'Pending Ready=False/Pulling ImageAvailable=False/Pulling',
      view({ making: { hash: 'h', phase: 'image' } }),
      { reason: 'Pulling', message: '' },
    ],
    [`Running Ready=True/Running ${ok}`, view({ record: begun, live })],
    [`Running Ready=False/Stopping ${ok}`, view({ record: begun, live }), { reason: 'Stopping', message: '' }],
    [`Paused Ready=True/Paused ${ok}`, view({ record: begun, live: { ...live, phase: 'paused' } })],
    [`Pausing Ready=False/Pausing ${ok}`, view({ record: begun, live: { ...live, phase: 'pausing' } })],
    [
      `Created Ready=True/Created ${ok}`,
      view({ record: seen, live: { ...live, phase: 'created' } }, { runState: 'Created' }),
    ],
    [`Pending Ready=False/Pending ${ok}`, view({ record: seen, live: { ...live, phase: 'created' } })],
    [
      'Stopped Ready=True/Stopped Succeeded=Unknown/Stopped',
      view({ record: finished(seen, { kind: 'Stopped', atMs: now }) }),
    ],
    ['Stopped Ready=True/Completed Succeeded=True/Completed', view({ record: endedWith(0) })],
    ['Stopped Ready=False/Failed Succeeded=False/Error Stalled=True/Failed', view({ record: endedWith(1) })],
    [
      'Stopped Ready=False/Failed Succeeded=False/OOMKilled Stalled=True/Failed',
      view({ record: endedWith(137, 'OOMKilled') }),
    ],
    ['Stopped Ready=False/Failed Succeeded=False/Lost Stalled=True/Failed', view({ record: endedWith(255, 'Lost') })],
    [
      'Stopped Ready=False/Failed Succeeded=False/Checkpointed Stalled=True/Failed',
      view({ record: endedWith(137, 'Checkpointed') }),
    ],
    [
      'Stopped Ready=False/Failed Succeeded=False/DeadlineExceeded Stalled=True/Failed',
      view({ record: finished(begun, { kind: 'DeadlineExceeded', atMs: now }) }),
    ],
    [
      'Pending Ready=False/BackOff ImageAvailable=True/Available',
      view({ record: change(begun, { imageId: 'sha256:i' }) }),
      { reason: 'BackOff', message: '' },
    ],
    [
      'Running Ready=False/NotSupported ImageAvailable=True/Available ResourcesApplied=False/NotSupported Stalled=True/NotSupported',
      view({ record: begun, live, notSupported: ['memoryHigh'] }),
    ],
    [
      'Pending Ready=False/PolicyViolation Stalled=True/PolicyViolation',
      view({}),
      { reason: 'PolicyViolation', message: '', stalled: true },
    ],
    [
      'Pending Ready=False/Pending ImageAvailable=True/NotNeeded',
      view({}, { image: null, command: ['/x'], rootfs: { path: '/srv/x' } }),
    ],
  ])('%s', (expected, given, hold) => {
    expect(inShort(given, hold)).toBe(expected);
  });

  it('names pid, times, counts and the end of the run before', () => {
    const again = started(endedWith(7), { number: 1, hash: 'h', startedAtMs: now });
    const { conditions: _conditions, ...status } = nodeTaskStatus(
      view({ record: again, live: { ...live, attempt: 1 } }),
      {
        containerId: 'k8s.default/web',
        applied: { limits: { cpu: '1' } },
      },
    );
    expect(status).toEqual({
      ...{ observedGeneration: 3, state: 'Running', pid: 4711, restartCount: 1, startedAt: '2023-11-14T22:13:20Z' },
      containerID: 'runlet://k8s.default/web',
      resources: { limits: { cpu: '1' } },
      lastTermination: {
        ...{ exitStatus: 7, reason: 'Error' },
        ...{ startedAt: '2023-11-14T22:13:15Z', finishedAt: '2023-11-14T22:13:20Z' },
      },
    });
  });

  it('dates a condition by the change of its status, not of its reason', () => {
    const before = nodeTaskStatus(view({ nowMs: now - 60_000 }), { containerId: 'x' });
    const record = change(seen, { status: before });
    const hold = { reason: 'BackOff', message: '' };
    const still = nodeTaskStatus(view({ record }), { containerId: 'x', hold }).conditions?.[0];
    expect(still).toMatchObject({ reason: 'BackOff', lastTransitionTime: '2023-11-14T22:12:20Z' });
    const ready = nodeTaskStatus(view({ record: { ...begun, status: before }, live }), { containerId: 'x' })
      .conditions?.[0];
    expect(ready).toMatchObject({ status: 'True', lastTransitionTime: '2023-11-14T22:13:20Z' });
  });

  it('is urgent when it tells of an end, or that what was asked for is so now or can never be, and not otherwise', () => {
    const pending = nodeTaskStatus(view({}), { containerId: 'x' });
    const running = nodeTaskStatus(view({ record: begun, live }), { containerId: 'x' });
    const over = nodeTaskStatus(view({ record: endedWith(0) }), { containerId: 'x' });
    expect([isUrgent(undefined, pending), isUrgent(pending, pending)]).toEqual([false, false]);
    expect([isUrgent(pending, running), isUrgent(running, running)]).toEqual([true, false]);
    expect([isUrgent(running, over), isUrgent(over, over)]).toEqual([true, false]);
    const conditions = running.conditions?.map((each) => ({ ...each, observedGeneration: 99 })) ?? [];
    expect(isUrgent(running, { ...running, conditions })).toBe(true);
    const refused = nodeTaskStatus(view({ record: seen }), {
      ...{ containerId: undefined, hold: { reason: 'PolicyViolation', message: 'no', stalled: true } },
    });
    expect([isUrgent(undefined, refused), isUrgent(refused, refused)]).toEqual([true, false]);
  });
});
