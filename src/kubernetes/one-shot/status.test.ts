import { describe, expect, it } from 'vitest';
import { failed, type OneShotRecord } from './record.ts';
import { readRequest } from './request.ts';
import { oneShotStatus } from './status.ts';

const object = {
  metadata: {
    name: 'x',
    namespace: 'team-a',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { nodeName: 'node-a', taskName: 'web', command: ['true'], requestedBy: 'alice' },
};

describe('the status of a request', () => {
  it('tells how its program ended, and of no output where there was none', () => {
    const result = { exitStatus: 3, stdout: '', stderr: 'oops', truncated: false };
    const record: OneShotRecord = {
      ...{ kind: 'NodeTaskExec', uid: 'u', namespace: 'team-a', name: 'x', taskUID: 'w', begunAtMs: 1000 },
      outcome: { ...failed('NonZeroExit', 'its program ended with 3', result), finishedAtMs: 2000 },
    };
    const status = oneShotStatus(readRequest('NodeTaskExec', object), record);
    expect(status).toMatchObject({
      ...{ state: 'Failed', reason: 'NonZeroExit', exitStatus: 3, stderr: 'oops', truncated: false },
      ...{ startedAt: '1970-01-01T00:00:01Z', finishedAt: '1970-01-01T00:00:02Z', taskUID: 'w' },
    });
    // An API server of Kubernetes 1.20 would take the empty text for null and refuse all of it.
    expect(status).not.toHaveProperty('stdout');
    expect(status['message']).toContain('requested by alice, unverified');
  });

  it('has not known more of one whose end nobody saw than at its creation', () => {
    const outcome = {
      state: 'Unknown',
      reason: 'AgentStopped',
      message: 'the agent ended',
      finishedAtMs: 2000,
    } as const;
    const record: OneShotRecord = { kind: 'NodeTaskExec', uid: 'u', namespace: 'team-a', name: 'x', outcome };
    const { conditions } = oneShotStatus(readRequest('NodeTaskExec', object), record);
    expect(conditions).toMatchObject([
      { type: 'Finished', status: 'True', lastTransitionTime: '1970-01-01T00:00:02Z' },
      { type: 'Succeeded', status: 'Unknown', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
  });
});
