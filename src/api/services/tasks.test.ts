import { describe, expect, it } from 'vitest';
import { specTypeUrl } from '#task/containers.ts';
import { startApi, type TestApi } from '../../../test/support/api.ts';
import { settle, specOf } from '../../../test/support/tasks.ts';
import { inNamespace, unary } from '../client.ts';
import { Status } from '../gen/containerd/types/task.ts';

const metadata = inNamespace('default');
const zeroSeconds = -62_135_596_800n;

/** A container, and calls on its task. */
async function withContainer(api: TestApi, id = 'web') {
  const { tasks, containers } = api.client;
  const spec = { typeUrl: specTypeUrl, value: Buffer.from(JSON.stringify(specOf())) };
  const container = {
    ...{ id, labels: {}, image: '', snapshotter: '', snapshotKey: '', sandbox: '', extensions: {}, spec },
    ...{ createdAt: undefined, updatedAt: undefined, runtime: { name: 'io.containerd.runc.v2', options: undefined } },
  };
  await unary(containers.create.bind(containers), { container }, { metadata });
  const containerId = id;
  const process = { containerId, execId: '' };
  const empty = { stdin: '', stdout: '', stderr: '', terminal: false };
  return {
    create: (more: Partial<Parameters<typeof tasks.create>[0]> = {}) =>
      unary(
        tasks.create.bind(tasks),
        { containerId, rootfs: [], ...empty, checkpoint: undefined, options: undefined, runtimePath: '', ...more },
        { metadata },
      ),
    start: (execId = '') => unary(tasks.start.bind(tasks), { containerId, execId }, { metadata }),
    get: async (execId = '') => (await unary(tasks.get.bind(tasks), { containerId, execId }, { metadata })).process,
    kill: (more = {}) => unary(tasks.kill.bind(tasks), { ...process, signal: 15, all: false, ...more }, { metadata }),
    wait: (timeoutMs?: number, execId = '') =>
      unary(tasks.wait.bind(tasks), { containerId, execId }, { metadata, ...(timeoutMs ? { timeoutMs } : {}) }),
    pause: () => unary(tasks.pause.bind(tasks), { containerId }, { metadata }),
    resume: () => unary(tasks.resume.bind(tasks), { containerId }, { metadata }),
    update: (value: string | undefined) =>
      unary(
        tasks.update.bind(tasks),
        {
          containerId,
          annotations: {},
          resources: value === undefined ? undefined : { typeUrl: 'x', value: Buffer.from(value) },
        },
        { metadata },
      ),
    delete: () => unary(tasks.delete.bind(tasks), { containerId }, { metadata }),
    deleteProcess: (execId: string) => unary(tasks.deleteProcess.bind(tasks), { containerId, execId }, { metadata }),
    exec: (execId: string, processSpec: object = { args: ['forever'], cwd: '/' }) =>
      unary(
        tasks.exec.bind(tasks),
        { containerId, execId, ...empty, spec: { typeUrl: 'x', value: Buffer.from(JSON.stringify(processSpec)) } },
        { metadata },
      ),
  };
}

describe('tasks', () => {
  it('go through a life whose end every call tells alike', async () => {
    await using api = await startApi();
    const task = await withContainer(api);
    const { pid } = await task.create();
    expect(pid).toBeGreaterThan(0);
    expect(await task.get()).toMatchObject({
      id: 'web',
      containerId: '',
      status: Status.CREATED,
      exitedAt: { seconds: zeroSeconds },
    });
    const waiting = task.wait();
    expect(await task.start()).toEqual({ pid });
    expect((await task.get())?.status).toBe(Status.RUNNING);
    await task.kill();
    const { exitStatus, exitedAt } = await waiting;
    expect(exitStatus).toBe(143);
    expect(await task.get()).toMatchObject({ status: Status.STOPPED, exitStatus, exitedAt });
    expect(await task.wait()).toEqual({ exitStatus, exitedAt });
    expect(await task.delete()).toEqual({ id: '', pid, exitStatus, exitedAt });
    await expect(task.get()).rejects.toMatchObject({ code: 'not-found', message: 'task web not found' });
  });

  it('say containerd’s sentence and then ours where a verb is refused', async () => {
    await using api = await startApi();
    const task = await withContainer(api);
    await expect(task.start()).rejects.toMatchObject({ code: 'not-found' });
    await task.create();
    await expect(task.create()).rejects.toMatchObject({ code: 'already-exists' });
    await expect(task.pause()).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'cannot pause task in created state: task default/web is created',
    });
    await task.start();
    await expect(task.start()).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot start a running process/) as string,
    });
    await expect(task.delete()).rejects.toMatchObject({
      message: 'failed to delete task: cannot delete a running process: task default/web is running',
    });
    await task.pause();
    await expect(task.exec('e')).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot exec in a paused state/) as string,
    });
    await task.resume();
    await task.kill({ signal: 9 });
    await settle();
    await expect(task.kill()).rejects.toMatchObject({ code: 'not-found' });
    await task.kill({ all: true });
  });

  it('run additional processes beside the first', async () => {
    await using api = await startApi();
    const task = await withContainer(api);
    await task.create();
    await task.start();
    await task.exec('e1');
    await expect(task.kill({ execId: 'e1' })).rejects.toMatchObject({ code: 'failed-precondition' });
    const { pid } = await task.start('e1');
    expect(await task.get('e1')).toMatchObject({ id: 'e1', pid, status: Status.RUNNING });
    await task.kill({ execId: 'e1', signal: 9 });
    expect((await task.wait(undefined, 'e1')).exitStatus).toBe(137);
    expect(await task.deleteProcess('e1')).toMatchObject({ id: 'e1', exitStatus: 137 });
    await expect(task.get('e1')).rejects.toMatchObject({ code: 'not-found' });
    expect((await task.get())?.status).toBe(Status.RUNNING);
  });

  it.each([
    ['an empty exec id', (task: Task) => task.exec(''), 'exec id cannot be empty'],
    ['a bad exec id', (task: Task) => task.exec('../e'), 'invalid exec id ../e'],
    ['no resources', (task: Task) => task.update(undefined), 'resources is missing'],
    ['resources that are no JSON', (task: Task) => task.update('{'), 'resources is not JSON'],
    ['a signal that is none', (task: Task) => task.kill({ signal: 99 }), 'signal'],
    ['deleting the first process as if it were added', (task: Task) => task.deleteProcess(''), 'exec id'],
  ])('refuse %s and go on', async (_what, call, text) => {
    await using api = await startApi();
    const task = await withContainer(api);
    await task.create();
    await task.start();
    await expect(call(task)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(text) as string,
    });
    expect((await task.get())?.status).toBe(Status.RUNNING);
  });

  it.each([
    ['a specification that is no JSON', { runtimePath: '/bin/shim' }, 'a path to a shim is not supported'],
    ['a logging program', { stdout: 'binary:///bin/logger' }, 'binary:// is not supported'],
  ])('are not made with %s, and leave nothing behind', async (_what, more, text) => {
    await using api = await startApi();
    const task = await withContainer(api);
    await expect(task.create(more)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(text) as string,
    });
    await task.create();
  });

  it('tell a wait whose time is over by its own code', async () => {
    await using api = await startApi();
    const task = await withContainer(api);
    await task.create();
    await expect(task.wait(20)).rejects.toMatchObject({ code: 'deadline-exceeded' });
  });

  it('answer ten thousand waits at once', { timeout: 120_000 }, async () => {
    await using api = await startApi();
    const task = await withContainer(api);
    await task.create();
    await task.start();
    const waits = Array.from({ length: 10_000 }, () => task.wait());
    await task.kill({ signal: 9 });
    const statuses = new Set((await Promise.all(waits)).map(({ exitStatus }) => exitStatus));
    expect([...statuses]).toEqual([137]);
  });
});

type Task = Awaited<ReturnType<typeof withContainer>>;
