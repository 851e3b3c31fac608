import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../client/object.ts';
import { cleanupFinalizer } from '../node-task/schema.ts';
import { allKinds } from './kinds.ts';
import { planObject } from './plan.ts';
import { judge } from './verdict.ts';

const [tasks, execs] = allKinds as [(typeof allKinds)[0], (typeof allKinds)[0]];
const now = '2026-01-02T03:04:05Z';
const graceMs = 60_000;

function object(metadata: object = {}, status?: object): KubeObject {
  return {
    metadata: { name: 'web', namespace: 'team', uid: 'u1', resourceVersion: '7', generation: 3, ...metadata },
    spec: { nodeName: 'a' },
    ...(status ? { status } : {}),
  };
}

describe('an agent’s silence', () => {
  it.each([
    ['is none while its pod is ready', { node: true, agentReady: true, sinceMs: 0 }, 'served'],
    ['is borne for a while', { node: true, agentReady: false, sinceMs: 940_001 }, 'waiting'],
    ['is a loss after the grace', { node: true, agentReady: false, sinceMs: 940_000 }, 'lost'],
    ['is for good without a node', { node: false, agentReady: false, sinceMs: 940_000 }, 'gone'],
  ])('%s', (_what, facts, kind) => {
    expect(judge('a', facts, 1_000_000, graceMs).kind).toBe(kind);
  });

  it('is looked at again when the grace is over', () => {
    const facts = { node: true, agentReady: false, sinceMs: 990_000 };
    expect(judge('a', facts, 1_000_000, graceMs)).toEqual({ kind: 'waiting', lookAfterMs: 50_000 });
  });
});

describe('what the controller does to an object', () => {
  const lost = { kind: 'lost', message: 'No agent.' } as const;
  const gone = { kind: 'gone', message: 'No node.' } as const;

  it('is nothing while somebody else speaks for it, or may soon', () => {
    expect(planObject(tasks, object(), { kind: 'served' }, now)).toEqual([]);
    expect(planObject(tasks, object(), { kind: 'waiting', lookAfterMs: 1 }, now)).toEqual([]);
  });

  it('is to say once that nothing is known of a task', () => {
    const [action] = planObject(tasks, object(), lost, now);
    const condition = { type: 'Ready', status: 'Unknown', reason: 'AgentLost', message: 'No agent.' };
    expect(action).toEqual({
      kind: 'status',
      status: { conditions: [{ ...condition, observedGeneration: 3, lastTransitionTime: now }] },
    });
    expect(planObject(tasks, object({}, { conditions: [condition] }), lost, now)).toEqual([]);
  });

  it('is to end a request whose outcome nobody will tell, and no finished one', () => {
    const [action] = planObject(execs, object({}, { state: 'Running' }), lost, now);
    expect(action).toMatchObject({
      kind: 'status',
      status: {
        ...{ state: 'Unknown', reason: 'AgentLost', finishedAt: now },
        conditions: [
          { type: 'Finished', status: 'True' },
          { type: 'Succeeded', status: 'Unknown' },
        ],
      },
    });
    const finished = object({}, { conditions: [{ type: 'Finished', status: 'True', reason: 'Completed' }] });
    expect(planObject(execs, finished, lost, now)).toEqual([]);
  });

  it('is to let it go when it is being deleted on a node that is gone, and only then', () => {
    const deleted = object({ deletionTimestamp: now, finalizers: ['other', cleanupFinalizer] });
    expect(planObject(tasks, deleted, gone, now)).toEqual([{ kind: 'release' }]);
    expect(planObject(tasks, deleted, lost, now)).toMatchObject([{ kind: 'status' }]);
    expect(planObject(tasks, object({ deletionTimestamp: now, finalizers: ['other'] }), gone, now)).toEqual([]);
  });
});
