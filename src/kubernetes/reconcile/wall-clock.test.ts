import { describe, expect, it } from 'vitest';
import { UnavailableError } from '#errors/errors.ts';
import { nodeTask } from '../../../test/support/fake-source.ts';
import { Reconciling } from '../../../test/support/reconciling.ts';

const anHour = 3_600_000;

/** Sets it while every object is about to be looked at. */
function setClock(agent: Reconciling, byMs: number): void {
  agent.node.clock.set(byMs);
  agent.source.sync();
}

function kills(agent: Reconciling): readonly (string | undefined)[] {
  return agent.node.runtime.controls.calls.filter((call) => call.startsWith('kill')).map((call) => call.split(' ')[2]);
}

describe.each([
  ['forward', anHour],
  ['back', -anHour],
])('a wall clock that is set %s by an hour', (_direction, byMs) => {
  it('neither shortens nor lengthens a grace period', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { terminationGracePeriodSeconds: 20 }));
    await agent.settle();
    agent.node.runtime.mortal = false;
    agent.source.put(nodeTask('web', { terminationGracePeriodSeconds: 20, runState: 'Stopped' }));
    await agent.pass(10);
    setClock(agent, byMs);
    await agent.pass(9);
    expect(kills(agent)).toEqual(['15']);
    await agent.pass(2);
    expect(kills(agent)).toEqual(['15', '9']);
  });

  it('changes nothing of how long a back-off takes', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    for (let end = 0; end < 2; end += 1) {
      agent.node.runtime.end(agent.task('web')!.ref, { status: 1 });
      await agent.settle();
    }
    await agent.pass(4);
    setClock(agent, byMs);
    await agent.pass(5);
    expect(agent.said('web')).toBe('Pending False/BackOff');
    await agent.pass(2);
    expect(agent.said('web')).toBe('Running True/Running');
  });

  it('changes nothing of how long a run may take', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { activeDeadlineSeconds: 100 }));
    await agent.pass(50);
    setClock(agent, byMs);
    await agent.pass(45);
    expect(agent.said('web')).toBe('Running True/Running');
    await agent.pass(10);
    expect(agent.said('web')).toBe('Stopped False/Failed');
  });

  it('changes nothing of how long a finished object stays', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { restartPolicy: 'Never', ttlSecondsAfterFinished: 60 }));
    await agent.settle();
    agent.node.runtime.end(agent.task('web')!.ref, { status: 0 });
    await agent.pass(30);
    setClock(agent, byMs);
    await agent.pass(25);
    expect(agent.source.keys()).toEqual(['default/web']);
    await agent.pass(10);
    expect(agent.source.keys()).toEqual([]);
  });

  it('changes nothing of when a failed pull is tried again', async () => {
    await using agent = await Reconciling.start();
    agent.making.failures.push({ method: 'ensure', error: new UnavailableError('no registry') });
    agent.source.put(nodeTask('web'));
    await agent.pass(5);
    setClock(agent, byMs);
    await agent.pass(4);
    expect(agent.said('web')).toBe('Pending False/PullFailed');
    await agent.pass(2);
    expect(agent.said('web')).toBe('Running True/Running');
  });
});

describe('a wall clock that was set back while no agent was there', () => {
  it('keeps no stop, back-off or finished object waiting for the time that was', async () => {
    let agent = await Reconciling.start();
    agent.source.put(nodeTask('waits'));
    agent.source.put(nodeTask('stops', { terminationGracePeriodSeconds: 20 }));
    agent.source.put(nodeTask('over', { restartPolicy: 'Never', ttlSecondsAfterFinished: 60 }));
    await agent.settle();
    agent.node.runtime.end(agent.task('over')!.ref, { status: 0 });
    for (let end = 0; end < 2; end += 1) {
      agent.node.runtime.end(agent.task('waits')!.ref, { status: 1 });
      await agent.settle();
    }
    agent.source.put(nodeTask('stops', { terminationGracePeriodSeconds: 20, runState: 'Stopped' }));
    agent.node.runtime.mortal = false;
    await agent.settle();
    await agent.crash();
    agent.node.clock.set(-anHour);
    agent = await Reconciling.start(agent);
    await agent.pass(21);
    expect(agent.said('waits')).toBe('Running True/Running');
    expect(agent.node.runtime.controls.calls).toContain('kill k8s.default/stops 9');
    await agent.pass(40);
    expect(agent.source.keys()).not.toContain('default/over');
    await agent[Symbol.asyncDispose]();
  });
});
