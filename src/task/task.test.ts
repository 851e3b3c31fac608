import { describe, expect, it } from 'vitest';
import { DeadlineExceededError, FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import { createTask, execId, inShort, recoveredNode, settle, specOf, taskRef } from '../../test/support/tasks.ts';
import type { Task } from './task.ts';

const forever = { args: ['forever'], cwd: '/' };
const images = { imagePath: '/images', exit: false };

async function addExec(task: Task, id = 'e1', args: readonly string[] = ['forever']) {
  return await task.exec(execId(id), { process: { args, cwd: '/' }, io: task.io });
}

async function runningTask(id = 'web') {
  const node = await recoveredNode();
  const task = await node.manager.create(createTask(id));
  await task.start();
  return { ...node, task };
}

async function restoringTask() {
  const node = await recoveredNode();
  return { ...node, task: await node.manager.create(createTask('web', { restoreFrom: '/images' })) };
}

describe('the life of a task', () => {
  it('tells of create, start, exit and delete in this order', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const waiting = task.wait();
    await task.start();
    runtime.end(task.ref, { status: 7 });
    const exit = await manager.delete(task.ref);
    expect(exit.status).toBe(7);
    expect(await waiting).toBe(exit);
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 7', 'delete 7']);
    expect(manager.find(taskRef('web'))).toBeUndefined();
  });

  it('tells of the bundle, the mounts and the streams when it is created', async () => {
    const { manager, events } = await recoveredNode();
    const rootfs = [{ type: 'bind', source: '/srv', options: ['ro'] }];
    const io = { kind: 'fifo', terminal: true, stdin: '/f/in', stdout: '/f/out' } as const;
    const task = await manager.create(createTask('web', { rootfs, io }));
    expect(events[0]).toMatchObject({
      topic: '/tasks/create',
      bundle: '/run/fake/tasks/default/web',
      rootfs,
      io: { stdin: '/f/in', stdout: '/f/out', stderr: '', terminal: true },
      pid: task.pid,
    });
  });

  it('tells of the start of a process that ended before the call returned, then of its end', async () => {
    const { manager, events } = await recoveredNode();
    const task = await manager.create(createTask('web', { spec: specOf(['exit', '3']) }));
    expect(await task.start()).toBe(task.pid);
    expect(task.status).toBe('stopped');
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 3']);
  });

  it('tells of a kill for want of memory before the end that it caused', async () => {
    const { manager, events } = await recoveredNode();
    const task = await manager.create(createTask('web', { spec: specOf(['oom']) }));
    await task.start();
    expect(events.map(inShort)).toEqual(['create', 'start', 'oom', 'exit web 137']);
    expect(task.oomKills).toBe(1);
    expect(task.exit?.reason).toBe('OOMKilled');
  });

  it('is stopped when its process ends between create and start, and then refuses to start', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    runtime.end(task.ref, { status: 1 });
    await expect(task.start()).rejects.toThrow('cannot start a stopped process: task default/web is stopped');
    expect(events.map(inShort)).toEqual(['create', 'exit web 1']);
  });

  it('tells of the end that made a start fail, without a start', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const held = runtime.controls.hold('start');
    const starting = task.start();
    await held.reached;
    runtime.end(task.ref, { status: 1 });
    expect(task.status).toBe('created');
    held.release();
    await expect(starting).rejects.toThrow(FailedPreconditionError);
    expect(events.map(inShort)).toEqual(['create', 'exit web 1']);
  });

  it('tells the second of two ends of one process to nobody', async () => {
    const { task, events } = await runningTask();
    task.exited(undefined, { status: 1, atMs: 1, reason: 'Exited' });
    task.exited(undefined, { status: 2, atMs: 2, reason: 'Exited' });
    expect(task.exit?.status).toBe(1);
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 1']);
  });

  it('stays as it was when the runtime fails', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    for (const verb of ['start', 'pause', 'resume', 'checkpoint'] as const) {
      if (verb === 'resume') await task.pause();
      const before = [task.phase, events.length];
      runtime.controls.fail(verb, new Error(`no ${verb}`));
      await expect(verb === 'checkpoint' ? task.checkpoint(images) : task[verb]()).rejects.toThrow(`no ${verb}`);
      expect([task.phase, events.length]).toEqual(before);
      if (verb === 'start') await task.start();
    }
  });
});

describe('pause and resume', () => {
  it('shows pausing while it works, then paused, for execs as well', async () => {
    const { task, runtime, events } = await runningTask();
    const exec = await addExec(task);
    await exec.start();
    const held = runtime.controls.hold('pause');
    const pausing = task.pause();
    await held.reached;
    expect([task.status, exec.status]).toEqual(['pausing', 'pausing']);
    held.release();
    await pausing;
    expect([task.status, exec.status, exec.phase]).toEqual(['paused', 'paused', 'running']);
    await task.resume();
    expect([task.status, exec.status]).toEqual(['running', 'running']);
    expect(events.map(inShort).slice(-2)).toEqual(['paused', 'resumed']);
  });

  it('refuses the pause of a task that ends meanwhile, and tells of no pause', async () => {
    const { task, runtime, events } = await runningTask();
    const held = runtime.controls.hold('pause');
    const pausing = task.pause();
    await held.reached;
    runtime.end(task.ref, { status: 5 });
    expect(await task.wait()).toMatchObject({ status: 5 });
    held.release();
    await expect(pausing).rejects.toThrow('cannot pause a stopped container: task default/web is stopped');
    expect(task.status).toBe('stopped');
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 5']);
  });

  it('leaves a paused task to a KILL, and tells of its end', async () => {
    const { task } = await runningTask();
    await task.pause();
    await task.kill(9);
    expect((await task.wait()).status).toBe(137);
    expect(task.status).toBe('stopped');
  });

  it('tells of the resume before the end by a signal that waited for it', async () => {
    const { task, runtime, events } = await runningTask();
    await task.pause();
    await task.kill(15);
    const held = runtime.controls.hold('resume');
    const resuming = task.resume();
    await held.reached;
    held.release();
    await resuming;
    await task.wait();
    expect(events.map(inShort).slice(-2)).toEqual(['resumed', 'exit web 143']);
  });
});

describe('kill', () => {
  it('does not wait for a verb that is under way', async () => {
    const { task, runtime } = await runningTask();
    const held = runtime.controls.hold('update');
    const updating = task.update({});
    await held.reached;
    await task.kill(9);
    expect((await task.wait()).status).toBe(137);
    held.release();
    await updating;
  });

  it('finds no process in a stopped task, but all of it is nobody', async () => {
    const { task, runtime } = await runningTask();
    runtime.end(task.ref);
    await expect(task.kill(15)).rejects.toThrow('process already finished: not found: task default/web is stopped');
    await expect(task.kill(15)).rejects.toThrow(NotFoundError);
    await task.kill(15, { all: true });
    expect(runtime.controls.calls.some((call) => call.startsWith('kill'))).toBe(false);
  });

  it('says not found when the process has ended and nobody has told yet', async () => {
    const { task, runtime } = await runningTask();
    runtime.machine.task(task.ref)!.init.exit = { status: 0, atMs: 0, reason: 'Exited' };
    await expect(task.kill(15)).rejects.toThrow('process already finished: not found: process default/web has ended');
  });

  it('reaches every process with all', async () => {
    const { task, events } = await runningTask();
    await (await addExec(task)).start();
    await task.kill(9, { all: true });
    await task.wait();
    expect(events.map(inShort).slice(-2)).toEqual(['exit e1 137', 'exit web 137']);
  });

  it('only asks with signal 0', async () => {
    const { task, runtime } = await runningTask();
    await task.kill(0);
    await task.kill(0, { all: true });
    expect(runtime.controls.calls).not.toContain('kill default/web 0');
    expect(task.status).toBe('running');
  });

  it('ends a task that waits to be restored only by KILL', async () => {
    const { task, events } = await restoringTask();
    await task.kill(15, { all: true });
    expect(task.restoring).toBe(true);
    await task.kill(9);
    expect(await task.wait()).toMatchObject({ status: 137, reason: 'Exited' });
    expect(events.map(inShort)).toEqual(['create', 'exit web 137']);
  });

  it('waits for a restore that is under way, then reaches the process', async () => {
    const { task, runtime, events } = await restoringTask();
    const held = runtime.controls.hold('start');
    const starting = task.start();
    await held.reached;
    const killing = task.kill(9);
    held.release();
    await Promise.all([starting, killing]);
    await task.wait();
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 137']);
  });
});

describe('wait', () => {
  it('answers all who wait with the same exit, before and after the start and the end', async () => {
    const { manager, runtime } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const early = [task.wait(), task.wait()];
    await task.start();
    const late = task.wait();
    runtime.end(task.ref, { status: 4 });
    const exits = await Promise.all([...early, late, task.wait()]);
    expect(new Set(exits).size).toBe(1);
    await manager.delete(task.ref);
    expect(await task.wait()).toBe(exits[0]);
  });

  it('tells the runtime of the first and of the last who waits', async () => {
    const { task, runtime } = await runningTask();
    const leaving = new AbortController();
    const first = task.wait({ signal: leaving.signal });
    const second = task.wait();
    expect(runtime.waits).toEqual(['default/web true']);
    leaving.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(runtime.waits).toEqual(['default/web true']);
    runtime.end(task.ref);
    await second;
    expect(runtime.waits).toEqual(['default/web true', 'default/web false']);
  });

  it('ends with the deadline that it was given', async () => {
    const { task } = await runningTask();
    const signal = AbortSignal.abort(new DeadlineExceededError('too late'));
    await expect(task.wait({ signal })).rejects.toThrow(DeadlineExceededError);
  });
});

describe('checkpoint', () => {
  it('tells of the checkpoint before the end that it caused', async () => {
    const { task, events } = await runningTask();
    await task.checkpoint({ ...images, exit: true });
    expect(task.exit).toMatchObject({ status: 137, reason: 'Checkpointed' });
    expect(events.map(inShort).slice(-2)).toEqual(['checkpointed', 'exit web 137']);
  });

  it('leaves a paused task paused', async () => {
    const { task } = await runningTask();
    await task.pause();
    await task.checkpoint(images);
    expect(task.status).toBe('paused');
  });
});

describe('stats', () => {
  it('opens the reader with the first reading, keeps it, and closes it at the end', async () => {
    const { task, runtime } = await runningTask();
    expect(runtime.openReaders).toBe(0);
    expect(task.stats()?.pids?.current).toBe(1n);
    task.stats();
    expect(runtime.openReaders).toBe(1);
    runtime.end(task.ref);
    expect(runtime.openReaders).toBe(0);
    expect(task.stats()).toBeUndefined();
  });

  it('has none for a task that waits to be restored', async () => {
    const { task, runtime } = await restoringTask();
    expect(task.stats()).toBeUndefined();
    expect(runtime.openReaders).toBe(0);
  });
});

describe('processes', () => {
  it('names the execs among the pids', async () => {
    const { task } = await runningTask();
    const exec = await addExec(task);
    await exec.start();
    expect(await task.pids()).toEqual([{ pid: task.pid }, { pid: exec.pid, execId: 'e1' }]);
  });

  it('are none once the task is stopped, and not found once it is deleted', async () => {
    const { task, runtime, manager } = await runningTask();
    runtime.end(task.ref);
    expect(await task.pids()).toEqual([]);
    await manager.delete(task.ref);
    await expect(task.pids()).rejects.toThrow('task web not found');
  });

  it('resizes a terminal, cut to 16 bits, and nothing else', async () => {
    const { manager, runtime } = await recoveredNode();
    const io = { kind: 'log', terminal: true, stdin: true } as const;
    const task = await manager.create(createTask('tty', { io }));
    await task.resize({ width: 65_616, height: 24 });
    const plain = await manager.create(createTask('web'));
    await plain.resize({ width: 80, height: 24 });
    expect(runtime.sizes).toEqual(['default/tty 80x24']);
  });

  it('cannot be attached to after the end', async () => {
    const { task, runtime } = await runningTask();
    await using attached = await task.attach();
    expect(attached.output).toBeDefined();
    runtime.end(task.ref);
    await expect(task.attach()).rejects.toThrow('cannot attach to a stopped process: default/web is stopped');
    await task.closeStdin();
  });
});

describe('one change at a time', () => {
  it('lets the next one in when the one before has ended, and checks then', async () => {
    const { task, runtime } = await runningTask();
    const held = runtime.controls.hold('pause');
    const pausing = task.pause();
    await held.reached;
    const again = task.pause();
    const resuming = task.resume();
    held.release();
    await pausing;
    await expect(again).rejects.toThrow('cannot pause a paused container');
    await resuming;
    expect(task.status).toBe('running');
  });

  it('lets one who waits for the turn give up', async () => {
    const { task, runtime } = await runningTask();
    const held = runtime.controls.hold('pause');
    const pausing = task.pause();
    await held.reached;
    const leaving = new AbortController();
    const updating = task.update({}, { signal: leaving.signal });
    await settle();
    leaving.abort();
    await expect(updating).rejects.toMatchObject({ code: 'cancelled' });
    held.release();
    await pausing;
    expect(runtime.updates).toEqual([]);
  });
});

it('refuses an exec in a task that is paused', async () => {
  const { task } = await runningTask();
  await task.pause();
  await expect(task.exec(execId('e1'), { process: forever, io: task.io })).rejects.toThrow(
    'cannot exec in a paused state: task default/web is paused',
  );
});
