import { describe, expect, it } from 'vitest';
import { AlreadyExistsError, FailedPreconditionError, NotFoundError, UnavailableError } from '#errors/errors.ts';
import { createTask, execId, inShort, recoveredNode, settle, specOf, taskRef } from '../../test/support/tasks.ts';

describe('create', () => {
  it('fills in what the request leaves open', async () => {
    const { manager, clock } = await recoveredNode();
    const plain = await manager.create(createTask('web'));
    expect(plain.record).toMatchObject({
      runtime: 'runc',
      runtimeRoot: '/run/fake/runc/default',
      cgroupPath: '/runlet/default/web',
      ownPidNamespace: true,
      owner: {},
      createdAtMs: clock.nowMs(),
    });
    const spec = {
      ...specOf(),
      linux: { namespaces: [{ type: 'pid', path: '/proc/1/ns/pid' }], cgroupsPath: '/mine' },
    };
    const own = await manager.create(
      createTask('own', { spec: spec as never, runtime: 'crun', runtimeRoot: '/r', owner: { uid: 'u1' } }),
    );
    expect(own.record).toMatchObject({
      runtime: 'crun',
      runtimeRoot: '/r',
      cgroupPath: '/runlet/mine',
      ownPidNamespace: false,
      owner: { uid: 'u1' },
    });
  });

  it('keeps the namespaces apart', async () => {
    const { manager } = await recoveredNode();
    await manager.create(createTask('web'));
    const other = await manager.create(createTask('web', taskRef('web', 'other')));
    expect(manager.list(other.namespace)).toEqual([other]);
    expect(manager.list()).toHaveLength(2);
  });

  it('gives an id to one of two that ask at once, and shows it when it is made', async () => {
    const { manager, runtime } = await recoveredNode();
    const held = runtime.controls.hold('create');
    const first = manager.create(createTask('web'));
    await held.reached;
    await expect(manager.create(createTask('web'))).rejects.toThrow(
      'task web: already exists: task default/web is being created',
    );
    expect(manager.list()).toEqual([]);
    expect(() => manager.get(taskRef('web'))).toThrow(new NotFoundError('task web not found'));
    held.release();
    const task = await first;
    expect(manager.get(taskRef('web'))).toBe(task);
    await expect(manager.create(createTask('web'))).rejects.toThrow(AlreadyExistsError);
  });

  it('tells of an end that comes before the create has returned after the create', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const held = runtime.controls.holdReturn('create');
    const creating = manager.create(createTask('web'));
    await held.reached;
    runtime.end(taskRef('web'), { status: 1 });
    expect(events).toEqual([]);
    held.release();
    expect((await creating).status).toBe('stopped');
    expect(events.map(inShort)).toEqual(['create', 'exit web 1']);
  });

  it('tells of nothing when it fails, not even of an end, and the id is free', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const held = runtime.controls.holdReturn('create');
    const creating = manager.create(createTask('web'), { signal: AbortSignal.abort(new Error('unused')) });
    await expect(creating).rejects.toThrow('unused');
    const failing = manager.create(createTask('web'));
    await held.reached;
    runtime.end(taskRef('web'));
    held.release(new Error('invalid rootfs'));
    await expect(failing).rejects.toThrow('invalid rootfs');
    expect([events, runtime.machine.tasks.size]).toEqual([[], 0]);
    await manager.create(createTask('web'));
  });

  it('shows the task to those whom it tells of the create', async () => {
    const { manager } = await recoveredNode();
    const seen: unknown[] = [];
    manager.events.subscribe((event) => seen.push(manager.find({ namespace: event.namespace, id: event.containerId })));
    const task = await manager.create(createTask('web'));
    expect(seen).toEqual([task]);
    await manager.delete(task.ref);
    expect(seen).toEqual([task, task, undefined]);
  });
});

describe('delete', () => {
  it('kills a task that was never started: 137 and the time of it in delete, wait and event', async () => {
    const { manager, events, clock } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const waiting = task.wait();
    clock.advance(5_000);
    const exit = await manager.delete(task.ref);
    expect(exit).toEqual({ status: 137, atMs: clock.nowMs(), reason: 'Exited' });
    expect(await waiting).toBe(exit);
    expect(events.map(inShort)).toEqual(['create', 'exit web 137', 'delete 137']);
    expect(events.at(-1)).toMatchObject({ pid: task.pid, exitedAtMs: clock.nowMs() });
  });

  it('answers the same for one that waits to be restored, which has no process', async () => {
    const { manager, runtime, events, clock } = await recoveredNode();
    const task = await manager.create(createTask('web', { restoreFrom: '/images' }));
    expect([task.pid, task.status, task.restoring]).toEqual([0, 'created', true]);
    expect(await manager.delete(task.ref)).toEqual({ status: 137, atMs: clock.nowMs(), reason: 'Exited' });
    expect(events.map(inShort)).toEqual(['create', 'exit web 137', 'delete 137']);
    expect(runtime.controls.calls).toEqual(['recover ', 'create default/web', 'delete default/web']);
  });

  it('gives up after ten seconds on hearing of the end of what it killed', async () => {
    const { manager, runtime, clock } = await recoveredNode();
    runtime.mortal = false;
    const task = await manager.create(createTask('web'));
    const deleting = manager.delete(task.ref);
    await settle();
    clock.advance(10_000);
    expect(await deleting).toMatchObject({ status: 255, reason: 'Lost' });
    expect(clock.pending).toBe(0);
  });

  it('refuses a running task', async () => {
    const { manager } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    await task.start();
    await expect(manager.delete(task.ref)).rejects.toThrow(
      'failed to delete task: cannot delete a running process: task default/web is running',
    );
  });

  it('waits for a start that is under way, and then refuses', async () => {
    const { manager, runtime } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const held = runtime.controls.hold('start');
    const starting = task.start();
    await held.reached;
    const deleting = manager.delete(task.ref);
    held.release();
    await starting;
    await expect(deleting).rejects.toThrow(FailedPreconditionError);
    expect(task.status).toBe('running');
  });

  it('keeps the id until nothing is left', async () => {
    const { manager, runtime } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const held = runtime.controls.hold('delete');
    const deleting = manager.delete(task.ref);
    await held.reached;
    await expect(manager.create(createTask('web'))).rejects.toThrow('already exists: task default/web is stopped');
    held.release();
    await deleting;
    await manager.create(createTask('web'));
  });

  it('can be tried again when the runtime failed', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    runtime.controls.fail('delete', new Error('device or resource busy'));
    await expect(manager.delete(task.ref)).rejects.toThrow('busy');
    expect(task.status).toBe('stopped');
    expect((await manager.delete(task.ref)).status).toBe(137);
    expect(events.map(inShort)).toEqual(['create', 'exit web 137', 'delete 137']);
  });

  it('is done once by two who ask at once; the other finds nothing', async () => {
    const { manager, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const [one, other] = await Promise.allSettled([manager.delete(task.ref), manager.delete(task.ref)]);
    expect(one.status).toBe('fulfilled');
    expect(other).toMatchObject({ reason: { code: 'not-found' } });
    expect(events.map(inShort).filter((text) => text.startsWith('delete'))).toHaveLength(1);
    await expect(task.kill(9)).rejects.toThrow('cannot kill a deleted process: not found');
  });
});

describe('close', () => {
  it('lets go: who waits hears that the agent is away, the task runs on, nothing stays open', async () => {
    const { manager, runtime, clock } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    await task.start();
    const exec = await task.exec(execId('e1'), { process: { args: ['forever'], cwd: '/' }, io: task.io });
    await exec.start();
    task.stats();
    task.exited(undefined, { status: 0, atMs: 0, reason: 'Exited' });
    const waiting = Promise.allSettled([task.wait(), exec.wait()]);
    await manager.close();
    await manager.close();
    for (const outcome of await waiting) expect(outcome).toMatchObject({ reason: { code: 'unavailable' } });
    expect([runtime.openReaders, clock.pending]).toEqual([0, 0]);
    expect(task.stats()).toBeUndefined();
    await expect(task.wait()).rejects.toThrow('the agent is stopping; task default/web runs on');
    await expect(manager.create(createTask('other'))).rejects.toThrow(UnavailableError);
    expect(runtime.machine.task(task.ref)?.init.exit).toBeUndefined();
  });
});

it('lets the other listeners hear when one throws', async () => {
  const { manager, events } = await recoveredNode();
  manager.events.subscribe(() => {
    throw new Error('a bad listener');
  });
  const later: string[] = [];
  manager.events.subscribe((event) => later.push(inShort(event)));
  await manager.create(createTask('web'));
  expect([events.length, later]).toEqual([1, ['create']]);
});
