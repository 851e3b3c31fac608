import { describe, expect, it } from 'vitest';
import { TerminalError, UnavailableError } from '#errors/errors.ts';
import { FakeSource, nodeTask } from '../../../test/support/fake-source.ts';
import { createTask, taskRef } from '../../../test/support/tasks.ts';
import { MemoryRecords, Reconciling } from '../../../test/support/reconciling.ts';
import type { ObjectRecord } from './record.ts';

const restart = (value: string) => ({ 'runlet.dev/restartedAt': value });

describe('Reconciler', () => {
  it('makes and starts what an object asks for, and says so', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.task('web')?.status).toBe('running');
    expect(agent.making.calls).toEqual(['ensure registry.test/app:1 IfNotPresent', 'make k8s.default/web 0']);
    expect(agent.said('web')).toBe('Running True/Running');
    expect(agent.source.events).toEqual(['web Pulling', 'web Pulled', 'web Created', 'web Started']);
    expect(agent.source.claimed).toEqual(new Set(['uid-1']));
    expect(agent.reconciler.restarts(agent.task('web')!.ref)).toBe(0);
  });

  it('makes nothing before its object is claimed and what is known of it is on the disk', async () => {
    const claimed = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    class SlowRecords extends MemoryRecords<ObjectRecord> {
      override async put(key: string, record: ObjectRecord): Promise<void> {
        await written.promise;
        await super.put(key, record);
      }
    }
    const source = new FakeSource();
    source.claim = () => claimed.promise;
    await using agent = await Reconciling.start(undefined, { source, sink: source, records: new SlowRecords() });
    source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.making.calls).toEqual([]);
    claimed.resolve();
    await agent.settle();
    expect(agent.making.calls).toEqual([]);
    written.resolve();
    await agent.settle();
    expect(agent.making.calls.at(-1)).toBe('make k8s.default/web 0');
  });

  it('makes no more tasks at once than it was told to, and the others in their turn', async () => {
    await using agent = await Reconciling.start(undefined, { makings: 2 });
    const turns: PromiseWithResolvers<void>[] = [];
    agent.making.making = async () => {
      const turn = Promise.withResolvers<void>();
      turns.push(turn);
      await turn.promise;
    };
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) agent.source.put(nodeTask(name));
    await agent.settle();
    expect(turns).toHaveLength(2);
    turns[0]?.resolve();
    await agent.settle();
    expect(turns).toHaveLength(3);
    for (const turn of turns) turn.resolve();
    await agent.settle();
    for (const turn of turns) turn.resolve();
    await agent.settle();
    expect(names.map((name) => agent.task(name)?.status)).toEqual(names.map(() => 'running'));
  });

  it('follows every runState', async () => {
    await using agent = await Reconciling.start();
    const ask = async (runState: string) => {
      agent.source.put(nodeTask('web', { runState }));
      await agent.settle();
      return `${agent.task('web')?.status} ${agent.said('web')}`;
    };
    expect(await ask('Created')).toBe('created Created True/Created');
    expect(await ask('Paused')).toBe('paused Paused True/Paused');
    expect(await ask('Running')).toBe('running Running True/Running');
    expect(await ask('Stopped')).toBe('stopped Stopped True/Stopped');
    expect(await ask('Created')).toBe('created Created True/Created');
    expect(await ask('Stopped')).toBe('undefined Stopped True/Stopped');
    expect(await ask('Running')).toBe('running Running True/Running');
    expect(await ask('Created')).toBe('running Running False/AlreadyStarted');
  });

  it('makes and pulls nothing for an object that is to be stopped from the beginning', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { runState: 'Stopped' }));
    await agent.settle();
    expect(agent.making.calls).toEqual([]);
    expect(agent.said('web')).toBe('Stopped True/Stopped');
    expect(agent.source.statuses.get('uid-1')).not.toHaveProperty('exitStatus');
  });

  it('keeps nothing of a stopped object that somebody has let go, and makes it anew when it is wanted again', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    agent.source.put(nodeTask('web', { runState: 'Stopped' }));
    await agent.settle();
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ containerID: 'runlet://k8s.default/web' });
    expect(agent.making.calls).not.toContain('remove k8s.default/web but its logs');
    const said = agent.source.said.length;
    agent.source.letGo('default/web');
    await agent.settle();
    expect(agent.making.calls.at(-1)).toBe('remove k8s.default/web but its logs');
    expect(agent.task('web')).toBeUndefined();
    expect(agent.records.values.size).toBe(0);
    expect(agent.source.said.slice(said)).toEqual(['web Stopped True/Stopped']);
    const status = agent.source.statuses.get('uid-1');
    expect(status).toMatchObject({ exitStatus: 143, restartCount: 0 });
    expect(status).not.toHaveProperty('containerID');
    agent.source.set('default/web', agent.source.get('default/web')!);
    await agent.settle();
    expect(agent.source.said).toHaveLength(said + 1);
    expect(agent.records.values.size).toBe(0);
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.task('web')?.status).toBe('running');
    expect(agent.source.claimed).toEqual(new Set(['uid-1']));
  });

  it('holds an object again that was let go while there was no agent', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    await agent.crash();
    agent.source.claimed.clear();
    await using next = await Reconciling.start(agent);
    await next.settle();
    expect(next.source.claimed).toEqual(new Set(['uid-1']));
    expect(next.making.calls).toEqual([]);
    next.source.put(nodeTask('web', { runState: 'Stopped' }));
    await next.settle();
    next.source.letGo('default/web');
    await next.settle();
    expect(next.making.calls).toEqual(['remove k8s.default/web but its logs']);
  });

  it('lets what runs go on although somebody has let it go, until it is stopped', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    agent.source.letGo('default/web');
    await agent.settle();
    expect(agent.task('web')?.status).toBe('running');
    agent.source.put(nodeTask('web', { runState: 'Stopped' }));
    await agent.settle();
    expect(agent.task('web')).toBeUndefined();
    expect(agent.making.calls.at(-1)).toBe('remove k8s.default/web but its logs');
  });

  it('stops with the stop signal, waits for the grace period and kills', async () => {
    await using agent = await Reconciling.start();
    const spec = { stopSignal: 'USR1', terminationGracePeriodSeconds: 7 };
    agent.source.put(nodeTask('web', spec));
    await agent.settle();
    agent.node.runtime.mortal = false;
    agent.source.put(nodeTask('web', { ...spec, runState: 'Stopped' }));
    await agent.settle();
    await agent.pass(6.5);
    const kills = () => agent.node.runtime.controls.calls.filter((call) => call.startsWith('kill'));
    expect(kills()).toEqual(['kill k8s.default/web 10']);
    expect(agent.said('web')).toBe('Running False/Stopping');
    agent.node.runtime.mortal = true;
    await agent.pass(0.5);
    expect(kills()).toEqual(['kill k8s.default/web 10', 'kill k8s.default/web 9']);
    expect(agent.said('web')).toBe('Stopped True/Stopped');
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ exitStatus: 137, state: 'Stopped' });
  });

  it('thaws what is frozen to stop it, with the signal waiting', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { runState: 'Paused' }));
    await agent.settle();
    agent.source.put(nodeTask('web', { runState: 'Stopped' }));
    await agent.settle();
    const calls = agent.node.runtime.controls.calls.slice(-2);
    expect(calls).toEqual(['kill k8s.default/web 15', 'resume k8s.default/web']);
    expect(agent.said('web')).toBe('Stopped True/Stopped');
  });

  it('starts again after 0, 10, 20 … 300 s, and at once after ten minutes of running', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const { ref, record } = agent.task('web')!;
      agent.node.runtime.end(ref, { status: 1 });
      await agent.settle();
      let waited = 0;
      for (; agent.task('web')?.record === record || !agent.task('web'); waited += 0.5) await agent.pass(0.5);
      waits.push(Math.round(waited));
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ restartCount: 8, state: 'Running' });
    await agent.pass(600);
    agent.node.runtime.end(agent.task('web')!.ref, { status: 1 });
    await agent.settle();
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ restartCount: 9, state: 'Running' });
  });

  it('keeps the back-off over a new agent', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { command: ['exit', '1'] }));
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/BackOff');
    await agent.pass(4);
    await agent.crash();
    await using next = await Reconciling.start(agent);
    await next.pass(5.5);
    expect(next.making.calls).toEqual([]);
    await next.pass(1);
    expect(next.making.calls).toContain('make k8s.default/web 2');
  });

  it.each([
    ['Never', '0', 'Stopped True/Completed', 1],
    ['Never', '3', 'Stopped False/Failed', 1],
    ['OnFailure', '0', 'Stopped True/Completed', 1],
    ['OnFailure', '3', 'Pending False/BackOff', 2],
    ['Always', '0', 'Pending False/BackOff', 2],
  ])('heeds restartPolicy %s after exit status %s', async (restartPolicy, status, said, starts) => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('job', { restartPolicy, command: ['exit', status] }));
    await agent.settle();
    expect(agent.said('job')).toBe(said);
    expect(agent.making.calls.filter((call) => call.startsWith('make'))).toHaveLength(starts);
  });

  it('never runs a finished run again: not for a new agent, a resync or a reboot', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('job', { restartPolicy: 'OnFailure', command: ['exit', '0'] }));
    await agent.settle();
    await agent.crash();
    await using next = await Reconciling.start(agent);
    next.source.sync();
    await next.settle();
    await next.crash();
    agent.node.machine.tasks.clear();
    await using afterReboot = await Reconciling.start(next, { bootId: 'boot-2' });
    expect([...next.making.calls, ...afterReboot.making.calls]).toEqual([]);
    expect(afterReboot.source.statuses.get('uid-1')).toMatchObject({ state: 'Stopped', exitStatus: 0 });
  });

  it('replaces a task whose container fields change, and begins a finished one anew', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    agent.source.put(nodeTask('job', { restartPolicy: 'Never', command: ['exit', '0'] }));
    await agent.settle();
    agent.source.put(nodeTask('web', { env: [{ name: 'A', value: '1' }] }));
    agent.source.put(nodeTask('job', { restartPolicy: 'Never', command: ['exit', '4'] }));
    await agent.settle();
    expect(agent.source.events.filter((event) => event.endsWith('Replaced'))).toHaveLength(2);
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ restartCount: 1, state: 'Running' });
    expect(agent.source.statuses.get('uid-2')).toMatchObject({ restartCount: 1, exitStatus: 4 });
  });

  it('restarts in place when the annotation says something new; its value at creation counts as acted on', async () => {
    await using agent = await Reconciling.start();
    const put = async (value: string, spec = {}) => {
      agent.source.put(nodeTask('job', { restartPolicy: 'Never', ...spec }, restart(value)));
      await agent.settle();
      return agent.source.statuses.get('uid-1');
    };
    expect(await put('a')).toMatchObject({ restartCount: 0, restartedAt: 'a' });
    expect(await put('b')).toMatchObject({ restartCount: 1, restartedAt: 'b', state: 'Running' });
    expect(agent.source.events).toContain('job Restarted');
    // Only taken note of while stopped; it starts once afterwards.
    expect(await put('c', { runState: 'Stopped' })).toMatchObject({ restartCount: 1, state: 'Stopped' });
    expect(await put('c')).toMatchObject({ restartCount: 2, restartedAt: 'c', state: 'Running' });
    // A finished run begins again.
    agent.node.runtime.end(agent.task('job')!.ref, { status: 0 });
    await agent.settle();
    expect(await put('d')).toMatchObject({ restartCount: 3, restartedAt: 'd', state: 'Running' });
  });

  it('stops at the deadline, counted in unfrozen seconds over restarts and agents', async () => {
    await using agent = await Reconciling.start();
    const spec = { activeDeadlineSeconds: 30 };
    agent.source.put(nodeTask('web', spec));
    await agent.pass(10);
    agent.source.put(nodeTask('web', { ...spec, runState: 'Paused' }));
    await agent.pass(100);
    expect(agent.task('web')?.status).toBe('paused');
    agent.source.put(nodeTask('web', spec));
    await agent.pass(10);
    agent.node.runtime.end(agent.task('web')!.ref, { status: 1 });
    await agent.settle();
    await agent.crash();
    await using next = await Reconciling.start(agent);
    await next.pass(9);
    expect(next.said('web')).toBe('Running True/Running');
    await next.pass(2);
    expect(next.said('web')).toBe('Stopped False/Failed');
    expect(next.source.statuses.get('uid-1')?.lastTermination).toMatchObject({ reason: 'DeadlineExceeded' });
    await next.pass(400);
    expect(next.source.statuses.get('uid-1')).toMatchObject({ restartCount: 1 });
  });

  it('deletes a finished object when its time is over, and all that belongs to it', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('job', { restartPolicy: 'Never', command: ['exit', '0'], ttlSecondsAfterFinished: 60 }));
    await agent.pass(59);
    expect(agent.source.keys()).toEqual(['default/job']);
    await agent.pass(2);
    expect(agent.source.keys()).toEqual([]);
    expect(agent.making.calls).toContain('remove k8s.default/job uid-1');
    expect(agent.records.values.size).toBe(0);
  });

  it('ends a deleted object gracefully and lets it go when nothing is left', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { terminationGracePeriodSeconds: 5 }));
    await agent.settle();
    agent.node.runtime.mortal = false;
    agent.source.remove('default/web');
    await agent.pass(4);
    expect(agent.source.keys()).toEqual(['default/web']);
    agent.node.runtime.mortal = true;
    await agent.pass(2);
    expect(agent.source.keys()).toEqual([]);
    expect(agent.task('web')).toBeUndefined();
    expect(agent.records.values.size).toBe(0);
  });

  it('removes the task of an object that went while the agent was away, once everything has been read', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    await agent.crash();
    agent.source.vanish('default/web');
    agent.source.synced = false;
    await using next = await Reconciling.start(agent);
    await next.pass(30);
    expect(next.task('web')?.status).toBe('running');
    next.source.sync();
    await next.settle();
    expect(next.task('web')).toBeUndefined();
    expect(next.records.values.size).toBe(0);
  });

  it('tells namesakes apart by UID: the old one goes before the new one is made', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    const old = agent.task('web')!.pid;
    agent.source.vanish('default/web');
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.making.calls.slice(-3)).toEqual([
      'remove k8s.default/web uid-1',
      'ensure registry.test/app:1 IfNotPresent',
      'make k8s.default/web 0',
    ]);
    expect(agent.task('web')?.pid).not.toBe(old);
    expect([...agent.records.values.keys()]).toEqual(['uid-2']);
  });

  it('ends nobody on the word of a cache that knows an older object of the name', async () => {
    await using agent = await Reconciling.start();
    const newer = agent.source.put(nodeTask('web'));
    await agent.settle();
    const pid = agent.task('web')?.pid;
    await agent.crash();
    agent.source.synced = false;
    const older = { ...newer, uid: 'uid-0', confirmed: false };
    agent.source.set('default/web', older);
    await using next = await Reconciling.start(agent);
    await next.pass(60);
    expect(next.said('web')).toBe('Pending False/WaitingForAPIServer');
    agent.source.set('default/web', { ...older, deleting: true });
    await next.pass(60);
    expect(next.task('web')?.pid).toBe(pid);
    agent.source.set('default/web', newer);
    agent.source.sync();
    await next.settle();
    expect(next.said('web')).toBe('Running True/Running');
    expect(next.task('web')?.pid).toBe(pid);
    expect(next.starts).toHaveLength(1);
  });

  it('makes nothing of an object before the next agent would know it', async () => {
    await using agent = await Reconciling.start();
    const kept = Promise.withResolvers<void>();
    agent.source.keeping = kept.promise;
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.making.calls).toEqual([]);
    kept.resolve();
    await agent.settle();
    expect(agent.said('web')).toBe('Running True/Running');
  });

  it('undoes what others do to a task, and says so', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    agent.source.put(nodeTask('cold', { runState: 'Paused' }));
    agent.source.put(nodeTask('new', { runState: 'Created' }));
    await agent.settle();
    await agent.task('web')?.pause();
    await agent.task('cold')?.resume();
    await agent.task('new')?.start();
    await agent.settle();
    expect(['web', 'cold', 'new'].map((name) => agent.task(name)?.status)).toEqual(['running', 'paused', 'created']);
    const corrected = agent.source.events.filter((event) => event.endsWith('DriftCorrected'));
    expect(corrected.toSorted()).toEqual(['cold DriftCorrected', 'new DriftCorrected', 'web DriftCorrected']);
  });

  it('makes a task anew that somebody else has deleted; its kill is an exit like any other', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    const { ref } = agent.task('web')!;
    agent.node.runtime.end(ref, { status: 137 });
    await agent.node.manager.delete(ref);
    await agent.settle();
    expect(agent.source.statuses.get('uid-1')).toMatchObject({
      state: 'Running',
      restartCount: 1,
      lastTermination: { exitStatus: 137, reason: 'Error' },
    });
  });

  it('makes a created task anew that somebody else has deleted', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web', { runState: 'Created' }));
    await agent.settle();
    await agent.node.manager.delete(agent.task('web')!.ref);
    await agent.settle();
    expect(agent.task('web')?.status).toBe('created');
    expect(agent.source.events.filter((event) => event === 'web DriftCorrected')).toHaveLength(1);
    expect(agent.source.statuses.get('uid-1')).toMatchObject({ restartCount: 0, state: 'Created' });
    expect(agent.source.events).not.toContain('web Started');
  });

  it('restarts what it has on disk while the source cannot be asked, and makes nothing that was never claimed', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    await agent.crash();
    agent.source.synced = false;
    agent.source.confirmed = false;
    agent.source.away = true;
    agent.source.put(nodeTask('web'));
    agent.source.put(nodeTask('new'));
    agent.node.machine.tasks.clear();
    await using next = await Reconciling.start(agent);
    await next.pass(30);
    expect(next.said('web')).toBe('Running True/Running');
    expect(next.source.statuses.get('uid-1')).toMatchObject({ restartCount: 1 });
    expect(next.task('new')).toBeUndefined();
  });

  it('counts what ran before a reboot as lost, and its restart policy decides', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    agent.source.put(nodeTask('job', { restartPolicy: 'Never' }));
    await agent.settle();
    await agent.crash();
    agent.node.machine.tasks.clear();
    await using next = await Reconciling.start(agent, { bootId: 'boot-2' });
    const lost = { lastTermination: { exitStatus: 255, reason: 'Lost' } };
    expect(next.source.statuses.get('uid-1')).toMatchObject({ state: 'Running', restartCount: 1, ...lost });
    expect(next.source.statuses.get('uid-2')).toMatchObject({ state: 'Stopped', exitStatus: 255, ...lost });
  });

  it('starts nothing after a reboot on the word of a cache, unless it may', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    agent.source.put(nodeTask('dam', { rebootPolicy: 'StartFromCache' }));
    await agent.settle();
    await agent.crash();
    agent.node.machine.tasks.clear();
    agent.source.synced = false;
    agent.source.confirmed = false;
    for (const key of agent.source.keys()) {
      agent.source.set(key, { ...agent.source.get(key)!, confirmed: false });
    }
    await using next = await Reconciling.start(agent, { bootId: 'boot-2' });
    expect(next.task('dam')?.status).toBe('running');
    expect(next.said('web')).toBe('Pending False/WaitingForAPIServer');
    next.source.set('default/web', { ...next.source.get('default/web')!, confirmed: true });
    await next.settle();
    expect(next.task('web')?.status).toBe('running');
  });

  it('tries a failed pull again after 10, 20, 40 s, and at once when the object changes', async () => {
    await using agent = await Reconciling.start();
    const fail = () => agent.making.failures.push({ method: 'ensure', error: new UnavailableError('no registry') });
    fail();
    fail();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/PullFailed');
    const tries = () => agent.making.calls.filter((call) => call.startsWith('ensure')).length;
    await agent.pass(9);
    expect(tries()).toBe(1);
    await agent.pass(2);
    expect(tries()).toBe(2);
    await agent.pass(15);
    expect(tries()).toBe(2);
    agent.source.put(nodeTask('web', { image: 'registry.test/app:2' }));
    await agent.settle();
    expect(agent.said('web')).toBe('Running True/Running');
  });

  it('says that it is stalled where only a change can help', async () => {
    await using agent = await Reconciling.start();
    agent.making.failures.push({ method: 'make', error: new TerminalError('PolicyViolation', 'hostPath /x: no') });
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/PolicyViolation');
    expect(agent.source.statuses.get('uid-1')?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stalled', status: 'True', reason: 'PolicyViolation' }),
    );
    agent.source.put(nodeTask('web', { workingDir: '/x' }));
    await agent.settle();
    expect(agent.source.statuses.get('uid-1')?.conditions?.map(({ type }) => type)).not.toContain('Stalled');
  });

  it('gives up a pull whose object changes its mind', async () => {
    await using agent = await Reconciling.start();
    agent.making.pull = (signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/Pulling');
    agent.source.put(nodeTask('web', { runState: 'Stopped' }));
    await agent.settle();
    expect(agent.said('web')).toBe('Stopped True/Stopped');
    expect(agent.source.events).not.toContain('web PullFailed');
  });

  it('leaves what runs alone when its object is no longer valid', async () => {
    await using agent = await Reconciling.start();
    const { task: _task, ...object } = agent.source.put(nodeTask('web'));
    await agent.settle();
    agent.source.set('default/web', { ...object, generation: 2, problems: [{ path: 'spec.tty', rule: 'must be' }] });
    await agent.settle();
    expect(agent.said('web')).toBe('Running False/InvalidSpec');
    expect(agent.task('web')?.status).toBe('running');
  });

  it('says what is wrong with a name that no task can have', async () => {
    await using agent = await Reconciling.start();
    const { task: _task, ...object } = agent.source.put(nodeTask('web'));
    agent.source.vanish('default/web');
    const problems = [{ path: 'metadata.name', rule: 'must be a name' }];
    agent.source.set('default/a--b', { ...object, name: 'a--b', uid: 'uid-2', problems });
    await agent.settle();
    expect(agent.said('a--b')).toBe('Pending False/InvalidSpec');
    expect(agent.source.statuses.get('uid-2')?.containerID).toBeUndefined();
  });

  it('stays away from a task of the same name that somebody made by hand', async () => {
    await using agent = await Reconciling.start();
    await agent.node.manager.create(createTask('web', taskRef('web', 'k8s.default')));
    agent.source.put(nodeTask('web'));
    await agent.settle();
    expect(agent.said('web')).toBe('Pending False/NameTaken');
    await agent.node.manager.delete(taskRef('web', 'k8s.default'));
    await agent.settle();
    expect(agent.said('web')).toBe('Running True/Running');
  });

  it('says the same only once', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('web'));
    await agent.settle();
    const before = agent.source.said.length;
    await agent.pass(120);
    expect(agent.source.said).toHaveLength(before);
  });

  it('writes ends before anything else', async () => {
    await using agent = await Reconciling.start();
    agent.source.put(nodeTask('job', { restartPolicy: 'Never', command: ['exit', '0'] }));
    await agent.settle();
    expect(agent.source.urgent).toEqual(['job Stopped']);
  });
});
