import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CgroupGroup } from '#cgroup/group.ts';
import { readFreezer } from '#cgroup/freezer.ts';
import { removeTree } from '#host/files.ts';
import { identify, type ProcessIdentity } from '#host/process.ts';
import { ProcessFolder } from '#runtime/process-folder.ts';
import { RuntimeFailedError } from '#runtime/runc/failure.ts';
import { parseExecId } from '#task/ids.ts';
import type { ProcessIo } from '#task/io.ts';
import type { TaskRecord } from '#task/runtime.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { execRecord, makeRuntime, record, ref, sh, spec } from '../support/runtime.ts';

let node: TestNode;
let tested: ReturnType<typeof makeRuntime>;
beforeEach(async () => {
  node = makeTestNode();
  tested = makeRuntime(node);
  await tested.recover();
});
afterEach(async () => {
  await tested[Symbol.asyncDispose]();
  await node.clean();
});

const bundle = (id = 't') => join(node.state, 'tasks/default', id);
const groupOf = (id = 't') => new CgroupGroup(node.hierarchy, `${node.cgroupParent}/default/${id}`);

async function run(script: string, more: Partial<TaskRecord> = {}): Promise<ProcessIdentity> {
  const id = more.id ?? 't';
  await tested.runtime.create(record(node, id, more), spec(node, sh(script)), {});
  return await tested.runtime.start(ref(id), {});
}

function monitorOf(folder = bundle()): ProcessIdentity {
  const monitor = new ProcessFolder(folder).readIdentity('monitor');
  if (!monitor) throw new Error(`no monitor in ${folder}`);
  return monitor;
}

/** A new agent in the place of the old one, which has just left. */
async function restart(): Promise<Awaited<ReturnType<typeof tested.recover>>> {
  await tested[Symbol.asyncDispose]();
  tested = makeRuntime(node);
  return await tested.recover();
}

async function remove(id = 't'): Promise<void> {
  await tested.runtime.delete(ref(id));
  expect(node.leftovers()).toEqual([]);
}

describe('a monitor that is killed', () => {
  it('leaves a task that runs on and whose end is told as lost', async () => {
    const task = await run('sleep 1000');
    process.kill(monitorOf().pid, 'SIGKILL');
    await eventually(
      () => identify(monitorOf().pid),
      (identity) => identity === undefined,
      'the monitor has ended',
    );
    expect(identify(task.pid)).toEqual(task);
    await tested.runtime.pause(ref('t'));
    await tested.runtime.resume(ref('t'));
    process.kill(task.pid, 'SIGKILL');
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 255, reason: 'Lost' });
    await remove();
  });

  it('is noticed by the next agent too', async () => {
    const task = await run('sleep 1000');
    process.kill(monitorOf().pid, 'SIGKILL');
    const [found] = await restart();
    expect(found?.phase).toBe('running');
    process.kill(task.pid, 'SIGKILL');
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 255, reason: 'Lost' });
    await remove();
  });

  it('in the middle of a create fails it and leaves nothing', async () => {
    const created = tested.runtime.create(record(node, 't'), spec(node, sh('x')), {}).catch((error: unknown) => error);
    const monitor = await eventually(
      () => new ProcessFolder(bundle()).readPidFile('conmon.pid'),
      Boolean,
      'conmon runs',
    );
    process.kill(monitor ?? 0, 'SIGKILL');
    const outcome = await created;
    if (!(outcome instanceof Error)) await tested.runtime.delete(ref('t')); // it was too late
    expect(outcome).toSatisfy((what) => what instanceof RuntimeFailedError || !(what instanceof Error));
    await eventually(
      () => node.leftovers(),
      (left) => left.length === 0,
      'nothing is left',
    );
  });

  it('and its exec are told of as lost', async () => {
    await run('sleep 1000');
    const exec = { ...ref('t'), execId: parseExecId('e') };
    await tested.runtime.addExec(ref('t'), execRecord('e', sh('exec sleep 1000')));
    const { pid } = await tested.runtime.startExec(ref('t'), exec.execId, {});
    process.kill(monitorOf(join(bundle(), 'exec/e')).pid, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    expect(await tested.exitOf(exec)).toMatchObject({ status: 255, reason: 'Lost' });
    await remove();
  });

  it('does not keep a task from being removed while it runs', async () => {
    await run('sleep 1000 & sleep 1000');
    process.kill(monitorOf().pid, 'SIGKILL');
    await remove();
    expect(tested.exits).toEqual([]);
  });
});

describe('a runtime that is killed in the middle of a create', () => {
  it('fails it and leaves nothing', async () => {
    const killed = await eventually(killRuntimeOfACreate, Boolean, 'a runtime is caught at its work');
    expect(killed).toBe(true);
    await eventually(
      () => node.leftovers(),
      (left) => left.length === 0,
      'nothing is left',
    );
    expect(readdirSync(join(node.state, 'tasks/default'))).toEqual([]);
  });
});

/** Whether the runtime was killed before it had done its work; what it may have made instead is removed. */
async function killRuntimeOfACreate(): Promise<boolean> {
  const create = { over: false };
  const created = tested.runtime
    .create(record(node, 't'), spec(node, sh('x')), {})
    .catch((error: unknown) => error)
    .finally(() => (create.over = true));
  let killed = false;
  while (!create.over && !killed) {
    killed = node.running().filter(isRuntime).some(kill);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const outcome = await created;
  if (outcome instanceof Error) return killed;
  await tested.runtime.delete(ref('t')); // it was too late
  return false;
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

function isRuntime(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]?.endsWith('runc') ?? false;
  } catch {
    return false; // it has just ended
  }
}

describe('a KILL that meets a pause', () => {
  it('ends the task, whichever comes first', async () => {
    for (let round = 0; round < 20; round += 1) {
      // Many processes take a while to freeze, so that the KILL falls in between.
      const { pid } = await run('i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; wait');
      const paused = tested.runtime.pause(ref('t')).catch(() => {});
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      // From outside: nobody thaws it afterwards.
      process.kill(pid, 'SIGKILL');
      if (round % 4 < 2) await tested.runtime.kill(ref('t'), 9);
      await paused;
      if (round % 4 >= 2 && readFreezer(groupOf()) === 'frozen') await tested.runtime.kill(ref('t'), 9);
      expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137 });
      await remove();
      tested.forget();
    }
  });

  it('of a former agent is let through by the next', async () => {
    const { pid } = await run('sleep 1000');
    await tested.runtime.pause(ref('t'));
    await tested[Symbol.asyncDispose]();
    process.kill(pid, 'SIGKILL'); // and the agent died before it could thaw
    tested = makeRuntime(node);
    const [found] = await tested.recover();
    const exit = found?.exit ?? (await tested.exitOf(ref('t')));
    expect(exit).toMatchObject({ status: 137 });
    await remove();
  });
});

describe('a new agent', () => {
  it('takes no other process for one of its tasks: after a reboot they are lost', async () => {
    await run('sleep 1000');
    await run('exit 3', { id: ref('u').id });
    await tested.exitOf(ref('u'));
    await tested[Symbol.asyncDispose]();
    // The task is gone, and its pid belongs to somebody else: to this test.
    for (const pid of groupOf().pids()) process.kill(pid, 'SIGKILL');
    await eventually(
      () => groupOf().pids(),
      (pids) => pids.length === 0,
      'it has ended',
    );
    await eventually(
      () => node.running(),
      (pids) => pids.length === 0,
      'its monitor too',
    );
    const folder = new ProcessFolder(bundle());
    execFileSync('rm', ['-f', join(folder.persist, 'exit')]);
    const me = identify(process.pid)!;
    folder.writeIdentity('process', { ...me, bootId: 'an-earlier-boot' });
    folder.writeIdentity('monitor', { ...me, bootId: 'an-earlier-boot' });
    tested = makeRuntime(node);
    const found = await tested.recover();
    expect(found.map(({ phase, exit }) => [phase, exit?.status, exit?.reason])).toEqual([
      ['lost', 255, 'Lost'],
      ['stopped', 3, 'Exited'],
    ]);
    await tested.runtime.delete(ref('t'));
    await remove('u');
    expect(identify(process.pid)).toEqual(me);
  });

  it('removes what belongs to nobody: monitors, mounts, cgroups, halves of bundles', async () => {
    await run('sleep 1000');
    await tested[Symbol.asyncDispose]();
    // The bundle is gone under its task's feet, and beside it lies more that nobody owns.
    for (const pid of groupOf().pids()) process.kill(pid, 'SIGKILL');
    await eventually(
      () => node.running(),
      (pids) => pids.length === 0,
      'the monitor has ended',
    );
    execFileSync('rm', ['-rf', bundle()]);
    mkdirSync(bundle('half'));
    writeFileSync(join(bundle('half'), 'config.json'), '{}');
    mkdirSync(bundle('.web.removed'));
    mkdirSync(join(bundle('gone'), '../gone/rootfs'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(bundle('gone'), 'rootfs')]);
    new CgroupGroup(node.hierarchy, `${node.cgroupParent}/default/old/below`).create();
    tested = makeRuntime(node);
    expect(await tested.recover()).toEqual([]);
    expect(node.leftovers()).toEqual([]);
    expect(readdirSync(join(node.state, 'tasks/default'))).toEqual([]);
  });

  it('goes on with the others where a bundle cannot be read', async () => {
    await run('sleep 1000');
    mkdirSync(bundle('bad'));
    writeFileSync(join(bundle('bad'), 'task.json'), 'no JSON');
    const found = await restart();
    expect(found.map(({ record: of }) => of.id)).toEqual(['t']);
    expect(existsSync(bundle('bad'))).toBe(true);
    await remove();
  });

  it("empties no root file system through a mount that a restore left in the runtime's folder", async () => {
    await run('sleep 1000');
    const left = join(node.state, 'runc/default/t/criu-root');
    mkdirSync(left);
    execFileSync('mount', ['--bind', node.rootfs, left]);
    await remove();
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
  });
});

describe('removing a folder', () => {
  it('is refused where something is mounted in it, by whatever name', async () => {
    const [inside, alias] = ['tree/deep/mounted', 'alias'].map((name) => join(node.folder, name));
    mkdirSync(inside!, { recursive: true });
    execFileSync('ln', ['-s', node.folder, alias!]);
    execFileSync('mount', ['--bind', node.rootfs, inside!]);
    await expect(removeTree(join(alias!, 'tree'))).rejects.toThrow(`${inside} is mounted in it`);
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
    execFileSync('umount', [inside!]);
    await removeTree(join(alias!, 'tree'));
    expect(existsSync(join(node.folder, 'tree'))).toBe(false);
  });
});

describe('a state folder that is full', () => {
  it('fails creates, tells exits all the same, and works again', async () => {
    await tested[Symbol.asyncDispose]();
    mkdirSync(node.state, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', node.state]);
    tested = makeRuntime(node);
    await tested.recover();
    await run('read x < /dev/zero; exit 3', { ownPidNamespace: true });
    const filler = join(node.state, 'filler');
    execFileSync('sh', ['-c', `cat /dev/zero > '${filler}' 2>/dev/null || true`]);
    await expect(run('x', { id: ref('u').id })).rejects.toThrow(/ENOSPC|no space/);
    await tested.runtime.kill(ref('t'), 9);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: expect.any(Number) });
    execFileSync('rm', [filler]);
    await tested.runtime.delete(ref('t'));
    await run('exit 4');
    expect(await tested.exitOf(ref('t'))).toBeDefined();
    await tested.runtime.delete(ref('t'));
    expect(node.leftovers().filter((what) => what !== `mount ${node.state}`)).toEqual([]);
  });
});

/** A whole life of a task with these streams, and of an exec in it. */
async function life(io: ProcessIo): Promise<void> {
  await run('read x; exit 0', { io });
  const exec = { ...ref('t'), execId: parseExecId('e') };
  await tested.runtime.addExec(ref('t'), execRecord('e', sh('exit 0'), io));
  await tested.runtime.startExec(ref('t'), exec.execId, {}).catch(() => {}); // the task may have ended by now
  await tested.runtime.kill(ref('t'), 9);
  await tested.exitOf(ref('t'));
  await tested.runtime.delete(ref('t'));
  tested.forget();
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('many tasks', () => {
  it('can be made, run and removed at once', async () => {
    const ids = Array.from({ length: 50 }, (_, index) => `t${index}`);
    await Promise.all(
      ids.map(async (id, index) => {
        await tested.runtime.create(record(node, id), spec(node, sh(`exit ${index}`)), {});
        await tested.runtime.start(ref(id), {});
        expect(await tested.exitOf(ref(id))).toMatchObject({ status: index, reason: 'Exited' });
        await tested.runtime.delete(ref(id));
      }),
    );
    expect(tested.exits).toHaveLength(50);
    expect(node.leftovers()).toEqual([]);
  });

  it('one after another leave no descriptor open', async () => {
    const ios: readonly ProcessIo[] = [
      { kind: 'null', terminal: false },
      { kind: 'file', terminal: false, path: join(node.folder, 'out') },
      { kind: 'log', terminal: false, stdin: true, path: join(node.logs, 't.log') },
      { kind: 'log', terminal: true, stdin: true },
    ];
    for (const io of ios) await life(io);
    const before = openDescriptors();
    for (let round = 0; round < 25; round += 1) for (const io of ios) await life(io);
    await eventually(openDescriptors, (count) => count <= before, 'descriptors are closed');
    expect(node.leftovers()).toEqual([]);
  });
});
