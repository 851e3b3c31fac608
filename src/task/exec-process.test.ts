import { describe, expect, it } from 'vitest';
import { AlreadyExistsError, FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import { createTask, execId, inShort, recoveredNode, settle, specOf } from '../../test/support/tasks.ts';
import type { ExecProcess } from './exec-process.ts';
import type { Task } from './task.ts';

async function addExec(task: Task, id = 'e1', args: readonly string[] = ['forever']): Promise<ExecProcess> {
  return await task.exec(execId(id), { process: { args, cwd: '/' }, io: task.io });
}

async function runningTask(ownPidNamespace = true) {
  const node = await recoveredNode();
  const task = await node.manager.create(createTask('web', { spec: specOf(['forever'], ownPidNamespace) }));
  await task.start();
  node.events.length = 0;
  return { ...node, task };
}

describe('ExecProcess', () => {
  it('is added, started, ends and is deleted, which nobody is told of', async () => {
    const { task, runtime, events } = await runningTask();
    const exec = await addExec(task);
    expect([exec.phase, exec.pid]).toEqual(['created', 0]);
    const waiting = exec.wait();
    const pid = await exec.start();
    expect([exec.phase, exec.pid]).toEqual(['running', pid]);
    runtime.end(exec.ref, { status: 6 });
    const exit = await exec.delete();
    expect(exit.status).toBe(6);
    expect(await waiting).toBe(exit);
    expect(events.map(inShort)).toEqual(['exec-added e1', 'exec-started e1', 'exit e1 6']);
    expect(() => task.process(exec.execId)).toThrow('process does not exist e1: not found');
  });

  it('tells of its start before an end within a millisecond', async () => {
    const { task, events } = await runningTask();
    const exec = await addExec(task, 'e1', ['exit', '2']);
    await exec.start();
    expect(exec.phase).toBe('stopped');
    expect(events.map(inShort)).toEqual(['exec-added e1', 'exec-started e1', 'exit e1 2']);
  });

  it('may be started before the first process is', async () => {
    const { manager } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const exec = await addExec(task);
    await exec.start();
    expect([task.status, exec.status]).toEqual(['created', 'running']);
  });

  it('keeps its id until it is deleted', async () => {
    const { task } = await runningTask();
    const exec = await addExec(task);
    await expect(addExec(task)).rejects.toThrow(AlreadyExistsError);
    await exec.delete();
    await addExec(task);
  });

  it('gives the id to one of two that ask at once', async () => {
    const { task } = await runningTask();
    const [one, other] = await Promise.allSettled([addExec(task), addExec(task)]);
    expect([one.status, other.status]).toEqual(['fulfilled', 'rejected']);
  });

  it('answers 0 when it is deleted without having run, also to those who wait', async () => {
    const { task, events } = await runningTask();
    const exec = await addExec(task);
    const waiting = exec.wait();
    expect(await exec.delete()).toMatchObject({ status: 0 });
    expect(await waiting).toMatchObject({ status: 0 });
    expect(events.map(inShort)).toEqual(['exec-added e1']);
    await expect(exec.delete()).rejects.toThrow('cannot delete a deleted process: not found');
  });

  it('is not deleted while it runs', async () => {
    const { task } = await runningTask();
    const exec = await addExec(task);
    await exec.start();
    await expect(exec.delete()).rejects.toThrow(
      /^cannot delete a running process: process default\/web\/e1 is running$/,
    );
  });

  it('is not killed before its start and not found after its end', async () => {
    const { task } = await runningTask();
    const exec = await addExec(task);
    await expect(exec.kill(9)).rejects.toThrow(FailedPreconditionError);
    await expect(exec.kill(9)).rejects.toThrow('process not created: failed precondition');
    await exec.start();
    await exec.kill(9);
    await exec.wait();
    await expect(exec.kill(9)).rejects.toThrow(NotFoundError);
  });

  it('stays created when its start fails, and can be started again', async () => {
    const { task, runtime, events } = await runningTask();
    const exec = await addExec(task);
    runtime.controls.fail('startExec', new Error('no such file'));
    await expect(exec.start()).rejects.toThrow('no such file');
    expect(exec.phase).toBe('created');
    await exec.start();
    expect(events.map(inShort)).toEqual(['exec-added e1', 'exec-started e1']);
  });

  it('is not started in a paused task', async () => {
    const { task } = await runningTask();
    const exec = await addExec(task);
    await task.pause();
    await expect(exec.start()).rejects.toThrow('cannot exec in a paused state');
  });

  it('is not started after the end of the first process', async () => {
    const { task, runtime } = await runningTask();
    const exec = await addExec(task);
    runtime.end(task.ref);
    await expect(exec.start()).rejects.toThrow(
      'container web init process is not running: task default/web is stopped',
    );
  });

  it('goes with its task, which answers those who wait', async () => {
    const { task, runtime, manager } = await runningTask();
    const exec = await addExec(task);
    const waiting = exec.wait();
    runtime.end(task.ref);
    await manager.delete(task.ref);
    expect(await waiting).toMatchObject({ status: 0 });
    expect([exec.phase, task.execs.length]).toEqual(['deleted', 0]);
  });
});

describe('the end of the first process', () => {
  it.each([
    [true, true],
    [false, true],
    [true, false],
  ])('is told last (told first by the runtime: %s, own pid namespace: %s)', async (tellsInitFirst, own) => {
    const { task, runtime, events } = await runningTask(own);
    runtime.tellsInitFirst = tellsInitFirst;
    for (const id of ['e1', 'e2']) await (await addExec(task, id)).start();
    await addExec(task, 'e3');
    runtime.end(task.ref, { status: 1 });
    expect(events.map(inShort).slice(-3)).toEqual(['exit e1 137', 'exit e2 137', 'exit web 1']);
  });

  it('waits three seconds for an exec whose end nobody tells, which is then lost', async () => {
    const { task, events, clock } = await runningTask();
    const exec = await addExec(task);
    await exec.start();
    const waiting = task.wait();
    task.exited(undefined, { status: 1, atMs: clock.nowMs(), reason: 'Exited' });
    expect(task.status).toBe('running');
    await expect(task.kill(15)).rejects.toThrow('process already finished: not found');
    await expect(task.pause()).rejects.toThrow('cannot pause a stopped container');
    expect(task.stats()).toBeUndefined();
    clock.advance(3_000);
    expect((await waiting).status).toBe(1);
    expect(exec.exit).toMatchObject({ status: 255, reason: 'Lost' });
    expect(events.map(inShort).slice(-2)).toEqual(['exit e1 255', 'exit web 1']);
    expect(clock.pending).toBe(0);
    task.exited(exec.execId, { status: 137, atMs: clock.nowMs(), reason: 'Exited' });
    expect(exec.exit?.status).toBe(255);
  });

  it('waits for an exec that is being started', async () => {
    const { task, runtime, events } = await runningTask();
    const exec = await addExec(task);
    const held = runtime.controls.hold('startExec');
    const starting = exec.start();
    await held.reached;
    runtime.end(task.ref, { status: 1 });
    expect(task.exit).toBeUndefined();
    held.release();
    await expect(starting).rejects.toThrow(FailedPreconditionError);
    expect(events.map(inShort)).toEqual(['exec-added e1', 'exit web 1']);
  });

  it('does not wait for ever for an exec that is being started', async () => {
    const { task, runtime, events, clock } = await runningTask();
    const exec = await addExec(task);
    const held = runtime.controls.hold('startExec');
    const starting = exec.start();
    await held.reached;
    task.exited(undefined, { status: 1, atMs: clock.nowMs(), reason: 'Exited' });
    clock.advance(3_000);
    expect(task.exit?.status).toBe(1);
    held.release();
    await expect(starting).rejects.toThrow('container web init process is not running');
    expect(events.map(inShort)).toEqual(['exec-added e1', 'exit e1 255', 'exit web 1']);
  });

  it('lets a delete wait for it', async () => {
    const { task, runtime, manager, clock } = await runningTask();
    await (await addExec(task)).start();
    task.exited(undefined, { status: 1, atMs: clock.nowMs(), reason: 'Exited' });
    const deleting = manager.delete(task.ref);
    await settle();
    expect(runtime.controls.calls).not.toContain('delete default/web');
    clock.advance(3_000);
    expect((await deleting).status).toBe(1);
  });
});
