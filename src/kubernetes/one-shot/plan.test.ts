import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { KubeObject } from '../client/object.ts';
import { Journal } from './journal.ts';
import { planOneShot, type OneShotPlan, type OneShotView, type Target } from './plan.ts';
import { succeeded, type OneShotRecord } from './record.ts';
import { readRequest } from './request.ts';
import type { OneShotKind } from './schema.ts';
import { oneShotStatus } from './status.ts';

const createdAt = '2026-01-01T00:00:00Z';
const createdMs = Date.parse(createdAt);

function objectOf(kind: OneShotKind, spec: object = {}, more: object = {}): KubeObject {
  const own = { NodeTaskExec: { command: ['true'] }, NodeTaskSignal: { signal: 'HUP' }, NodeTaskCheckpoint: {} }[kind];
  return {
    metadata: { name: 'x', namespace: 'team-a', uid: 'uid-x', resourceVersion: '1', creationTimestamp: createdAt },
    spec: { nodeName: 'node-a', taskName: 'web', ...own, ...spec },
    ...more,
  };
}

function planned(
  kind: OneShotKind,
  { spec = {}, object = {}, ...view }: Partial<OneShotView> & { spec?: object; object?: object },
): OneShotPlan {
  const request = readRequest(kind, objectOf(kind, spec, object));
  return planOneShot({ request, target: here('running'), nowMs: createdMs, seenAtMs: createdMs, ...view });
}

function here(phase?: 'running' | 'paused' | 'stopped' | 'created', uid = 'uid-web'): Target {
  return { known: 'here', uid, ...(phase ? { phase } : {}) };
}

function inShort(plan: OneShotPlan): string {
  if (plan.do === 'conclude') return `${plan.outcome.state} ${plan.outcome.reason}`;
  return plan.do === 'wait' ? `wait ${plan.reason} ${plan.againAfterMs ?? ''}`.trim() : plan.do;
}

const exec = 'NodeTaskExec';
const signal = 'NodeTaskSignal';
const checkpoint = 'NodeTaskCheckpoint';
const record: OneShotRecord = { kind: exec, uid: 'uid-x', namespace: 'team-a', name: 'x', taskUID: 'uid-web' };
const absent: Target = { known: 'absent' };
const late = createdMs + 60_000;
const ended = { ...record, outcome: { ...succeeded('done'), finishedAtMs: createdMs } };

const table: readonly (readonly [what: string, plan: string, OneShotKind, Parameters<typeof planned>[1]])[] = [
  ['an exec in a running task', 'begin', exec, {}],
  ['an exec in a paused task', 'wait TaskNotRunning 60000', exec, { target: here('paused') }],
  ['an exec in a task that ended', 'wait TaskNotRunning 60000', exec, { target: here('stopped') }],
  ['an exec in none', 'wait TaskNotFound 60000', exec, { target: absent }],
  ['an exec in one that never came', 'Failed TaskNotFound', exec, { target: absent, nowMs: late }],
  ['an exec in one that never ran', 'Failed TaskNotRunning', exec, { target: here(), nowMs: late }],
  ['a shorter deadline', 'wait TaskNotFound 5000', exec, { spec: { startDeadlineSeconds: 5 }, target: absent }],
  ['no deadline at all and a task that runs', 'begin', exec, { spec: { startDeadlineSeconds: 0 } }],
  [
    'one that was seen long after',
    'Failed StartDeadlineExceeded',
    exec,
    { nowMs: late + 99_999, seenAtMs: late + 99_999 },
  ],
  ['a task of another node', 'Failed NodeMismatch', exec, { target: { known: 'elsewhere', nodeName: 'node-b' } }],
  ['a cluster that is not heard yet', 'wait Pending', exec, { target: { known: 'not yet' } }],
  ['a UID that is right', 'begin', exec, { spec: { taskUID: 'uid-web' } }],
  ['a namesake', 'Failed TaskNotFound', exec, { spec: { taskUID: 'uid-old' } }],
  ['a wrong specification', 'Failed InvalidSpec', exec, { spec: { command: [] } }],
  ['a signal to a running task', 'begin', signal, {}],
  ['a signal to a paused task', 'begin', signal, { target: here('paused') }],
  ['a signal that finds no task', 'Failed TaskNotFound', signal, { target: absent }],
  ['a signal to one that ended', 'Failed TaskNotRunning', signal, { target: here('stopped') }],
  ['a signal that is none', 'Failed InvalidSpec', signal, { spec: { signal: 'NO' } }],
  ['a checkpoint of a paused task', 'begin', checkpoint, { target: here('paused') }],
  ['a checkpoint of one that was not started', 'wait TaskNotRunning 60000', checkpoint, { target: here('created') }],
  ['what was begun and has no outcome', 'Unknown AgentStopped', exec, { record: { ...record, begunAtMs: 1 } }],
  [
    'what is reported as running and has no journal',
    'Unknown AgentStopped',
    exec,
    { object: { status: { state: 'Running' } } },
  ],
  ['what has ended', 'tell', exec, { record: ended }],
  [
    'what is reported as ended and has no journal',
    'tell',
    exec,
    { object: { status: { state: 'Failed', finishedAt: createdAt } } },
  ],
  ['what ended an hour ago', 'expire', exec, { record: ended, nowMs: createdMs + 3_600_000 }],
  ['a checkpoint that ended an hour ago', 'tell', checkpoint, { record: ended, nowMs: createdMs + 3_600_000 }],
  [
    'one that is being deleted',
    'release',
    checkpoint,
    {
      object: { metadata: { ...objectOf(checkpoint).metadata, deletionTimestamp: createdAt } },
    },
  ],
];

describe('planning a request', () => {
  it.each(table)('%s: %s', (_, plan, kind, view) => {
    expect(inShort(planned(kind, view))).toBe(plan);
  });

  it('runs a verb at most once, whenever the agent crashes', async () => {
    const crash = new Error('crash');
    const crashes = fc.array(fc.nat(4), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(crashes, fc.boolean(), async (at, journalLost) => {
        const disk = new Map<string, OneShotRecord>();
        let runs = 0;
        let status: object | undefined;
        for (const crashAt of [...at, Infinity, Infinity]) {
          let step = 0;
          const mayCrash = () => {
            step += 1;
            if (step > crashAt) throw crash;
          };
          const records = {
            load: () => Promise.resolve([...disk.values()]),
            put: async (key: string, value: OneShotRecord) => {
              await Promise.resolve();
              mayCrash();
              disk.set(key, value);
              mayCrash();
            },
            remove: () => Promise.resolve(),
          };
          const journal = new Journal(records, new ManualClock());
          await journal.load();
          try {
            for (let look = 0; look < 3; look += 1) {
              const request = readRequest(exec, objectOf(exec, {}, status ? { status } : {}));
              const known = journal.get(request.uid);
              const view = { request, target: here('running'), nowMs: createdMs, seenAtMs: createdMs };
              const plan = planOneShot(known ? { ...view, record: known } : view);
              if (plan.do === 'begin') {
                await journal.once(request, plan.taskUID, (begun) => {
                  status = oneShotStatus(request, begun);
                  runs += 1;
                  mayCrash();
                  return Promise.resolve(succeeded('done'));
                });
              } else if (plan.do === 'conclude') await journal.conclude(request, plan.outcome);
              const now = journal.get(request.uid);
              if (now) status = oneShotStatus(request, now);
            }
          } catch (error) {
            if (error !== crash) throw error;
            if (journalLost && runs > 0) disk.clear();
          }
        }
        expect(runs).toBeLessThanOrEqual(1);
        expect(status).toMatchObject({ state: expect.stringMatching(/^(?:Succeeded|Unknown)$/) as string });
      }),
    );
  });
});

describe('the status of a request', () => {
  it('says who asked, that nobody has proved it, and has conditions for kubectl wait', () => {
    const request = readRequest(exec, objectOf(exec, { requestedBy: 'alice' }));
    const status = oneShotStatus(request, { ...ended, begunAtMs: createdMs });
    expect(status['message']).toBe('done (requested by alice, unverified unless a policy forces it)');
    expect(status).toMatchObject({
      state: 'Succeeded',
      taskUID: 'uid-web',
      startedAt: createdAt,
      finishedAt: createdAt,
    });
    expect(status.conditions.map(({ type, status: holds }) => `${type} ${holds}`)).toEqual([
      'Finished True',
      'Succeeded True',
    ]);
  });

  it('is finished also when the outcome is unknown', () => {
    const request = readRequest(exec, objectOf(exec));
    const outcome = { state: 'Unknown', reason: 'AgentStopped', message: 'm', finishedAtMs: createdMs } as const;
    const { conditions } = oneShotStatus(request, { ...record, outcome });
    expect(conditions.map(({ type, status }) => `${type} ${status}`)).toEqual(['Finished True', 'Succeeded Unknown']);
  });
});
