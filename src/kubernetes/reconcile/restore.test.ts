import { describe, expect, it } from 'vitest';
import { TerminalError, UnavailableError } from '#errors/errors.ts';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { Reconciling } from '../../../test/support/reconciling.ts';

const object = () => nodeTask('web', { restoreFrom: { checkpointName: 'c1' } });

describe('an object that begins from a checkpoint', () => {
  it('gives the checkpoint back when its task is made, and tells that it was restored, at its first start only', async () => {
    let lent = 0;
    const checkpointOf = () => {
      lent += 1;
      return Promise.resolve({ images: '/checkpoints/c1/images', check: () => {}, release: () => void (lent -= 1) });
    };
    await using agent = await Reconciling.start(undefined, { checkpointOf });
    agent.source.put(object());
    await agent.settle();
    expect(agent.said('web')).toBe('Running True/Running');
    expect(agent.task('web')?.record.restoreFrom).toBe('/checkpoints/c1/images');
    expect(agent.source.events).toEqual(expect.arrayContaining(['web Restored', 'web Started']));
    expect(lent).toBe(0);
    await agent.task('web')?.kill(9);
    await agent.settle();
    await agent.pass(20);
    expect(agent.task('web')?.record.restoreFrom).toBeUndefined();
    expect(agent.source.events.filter((event) => event === 'web Restored')).toHaveLength(1);
  });

  it('is refused for good when what was restored had more rights than it may have', async () => {
    const refusal = 'process 1 (sh): CapBnd holds NET_RAW';
    await using agent = await Reconciling.start(undefined, {
      checkpointOf: () => Promise.resolve({ images: '/images', check: () => {} }),
    });
    agent.node.runtime.controls.fail('start', new TerminalError('RestoreRefused', refusal));
    agent.source.put(object());
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/RestoreRefused');
    expect(agent.task('web')).toBeUndefined();
    expect(agent.source.events).toContain('web RestoreRefused');
    const conditions = agent.source.statuses.get('uid-1')?.conditions ?? [];
    expect(conditions.find(({ type }) => type === 'Stalled')).toMatchObject({ status: 'True', message: refusal });
    // Another try follows only after minutes: the node may have changed.
    await agent.pass(60);
    expect(agent.making.calls.filter((call) => call.startsWith('make'))).toHaveLength(1);
  });

  it('waits while the checkpoint is not ready', async () => {
    let ready = false;
    await using agent = await Reconciling.start(undefined, {
      checkpointOf: () =>
        ready
          ? Promise.resolve({ images: '/images', check: () => {} })
          : Promise.reject(new UnavailableError('NodeTaskCheckpoint c1 is not finished')),
    });
    agent.source.put(object());
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/Pending');
    ready = true;
    await agent.pass(11);
    expect(agent.said('web')).toBe('Running True/Running');
  });
});
