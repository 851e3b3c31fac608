import { describe, expect, it } from 'vitest';
import { FailedPreconditionError, UnimplementedError } from '#errors/errors.ts';
import type { MachineLimits } from '#oci/machine.ts';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { Reconciling, wholeMachine } from '../../../test/support/reconciling.ts';

const limited = (memory: string) => nodeTask('web', { resources: { limits: { memory } } });

/** Cgroup v1 has no memory.high. */
function oldMachine(): MachineLimits {
  return { ...wholeMachine, cgroup: { ...wholeMachine.cgroup, version: 1 } };
}

function conditionOf(agent: Reconciling, type: string): unknown {
  const found = agent.source.statuses.get('uid-1')?.conditions?.find((condition) => condition.type === type);
  return found && `${found.status}/${found.reason}`;
}

describe('resources of a task that runs', () => {
  it('change in place, once', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(limited('64Mi'));
    await agent.settle();
    expect(agent.node.runtime.updates).toEqual([]);
    agent.source.put(limited('32Mi'));
    await agent.pass(60);
    expect(agent.node.runtime.updates).toEqual([
      expect.objectContaining({ memory: { limit: 2 ** 25, swap: 2 ** 25 } }),
    ]);
    expect(agent.source.events).toContain('web Resized');
    expect(agent.source.statuses.get('uid-1')).toMatchObject({
      restartCount: 0,
      state: 'Running',
      observedGeneration: 2,
    });
  });

  it('are tried again when more memory is in use than they allow, and everything says so meanwhile', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(limited('64Mi'));
    await agent.settle();
    const failure = { field: 'memory.limit', reason: 'InUse', message: 'memory.limit 1 is below the 2 bytes in use' };
    agent.node.runtime.controls.fail('update', new FailedPreconditionError('no', { details: { failures: [failure] } }));
    agent.source.put(limited('1Mi'));
    await agent.settle();
    expect(conditionOf(agent, 'ResourcesApplied')).toBe('False/MemoryInUse');
    expect(agent.said('web')).toBe('Running False/MemoryInUse');
    await agent.crash();
    await using next = await Reconciling.start(agent);
    expect(conditionOf(next, 'ResourcesApplied')).toBe('False/MemoryInUse');
    await next.pass(6);
    expect(next.node.runtime.updates).toHaveLength(1);
    expect(conditionOf(next, 'ResourcesApplied')).toBe('True/Applied');
    expect(next.said('web')).toBe('Running True/Running');
  });

  it('that this node cannot do are named, and the rest applies', async () => {
    await using agent = await Reconciling.start(undefined, { machine: oldMachine });
    agent.source.put(nodeTask('web', { resources: { memoryHigh: '1Gi' } }));
    await agent.settle();
    expect(conditionOf(agent, 'ResourcesApplied')).toBe('False/NotSupported');
    expect(agent.said('web')).toBe('Running False/NotSupported');
    const failures = [{ field: 'x', reason: 'NotSupported', message: 'x is not supported' }];
    agent.node.runtime.controls.fail('update', new UnimplementedError('no', { details: { failures } }));
    agent.source.put(nodeTask('web', { resources: { memoryHigh: '2Gi' } }));
    await agent.settle();
    expect(conditionOf(agent, 'ResourcesApplied')).toBe('False/NotSupported');
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.said('web')).toBe('Running True/Running');
  });

  it('of a task that waits for its start are those of its spec', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { runState: 'Created' }));
    await agent.settle();
    agent.source.put(nodeTask('web', { runState: 'Created', resources: { limits: { memory: '8Mi' } } }));
    await agent.settle();
    expect(agent.said('web')).toBe('Created True/Created');
    expect(agent.task('web')?.record.owner['resources']).toBe('{"limits":{"memory":"8Mi"}}');
  });

  it('change while it is frozen as well', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { runState: 'Paused' }));
    await agent.settle();
    agent.source.put(nodeTask('web', { runState: 'Paused', resources: { limits: { memory: '8Mi' } } }));
    await agent.settle();
    expect(agent.node.runtime.updates).toHaveLength(1);
    expect(agent.task('web')?.status).toBe('paused');
  });
});
