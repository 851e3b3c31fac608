import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailedPreconditionError, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import { identify } from '#host/process.ts';
import type { LinuxResources } from '#oci/runtime-spec.ts';
import { RuntimeFailedError } from '#runtime/runc/failure.ts';
import { parseExecId } from '#task/ids.ts';
import type { ProcessIo } from '#task/io.ts';
import type { TaskRecord } from '#task/runtime.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { execRecord, makeRuntime, record, ref, sh, spec, testedRuntime } from '../support/runtime.ts';

/** The same tests once by runc's files and once by its commands; another runtime has only its commands. */
const ways: readonly (readonly [way: string, fastPaths: boolean])[] =
  testedRuntime === 'runc'
    ? [
        ['the fast paths', true],
        ["the runtime's commands", false],
      ]
    : [[testedRuntime, true]];

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

function output(name = 't'): string {
  return join(node.folder, `${name}.out`);
}

function toFile(name = 't'): ProcessIo {
  return { kind: 'file', terminal: false, path: output(name) };
}

function written(name = 't'): string {
  return existsSync(output(name)) ? readFileSync(output(name), 'utf8') : '';
}

/** The runtime's own word on the task. */
function state(): string {
  const args = ['--root', `${node.state}/runc/default`, 'state', 't'];
  return (JSON.parse(execFileSync(testedRuntime, args, { encoding: 'utf8' })) as { status: string }).status;
}

describe.each(ways)('by %s', (_way, fastPaths) => {
  let tested: ReturnType<typeof makeRuntime>;
  beforeEach(async () => {
    tested = makeRuntime(node, { fastPaths });
    await tested.recover();
  });
  afterEach(async () => {
    await tested[Symbol.asyncDispose]();
  });

  const create = async (script: string, more: Partial<TaskRecord> = {}, resources: LinuxResources = {}) => {
    const { linux, ...rest } = spec(node, sh(script));
    const full = { ...rest, linux: { ...linux, resources } };
    return await tested.runtime.create(record(node, 't', { io: toFile(), ...more }), full, {});
  };
  const run = async (...args: Parameters<typeof create>) => {
    await create(...args);
    return await tested.runtime.start(ref('t'), {});
  };
  const remove = async () => {
    await tested.runtime.delete(ref('t'));
    expect(node.leftovers()).toEqual([]);
    expect(readdirSync(join(node.state, 'tasks/default'))).toEqual([]);
    await expect(async () => await tested.runtime.pids(ref('t'))).rejects.toThrow(NotFoundError);
  };

  it('creates, starts, tells the exit and deletes', async () => {
    const made = await create('echo out; echo err >&2; exit 7');
    expect(made).toEqual(identify(made!.pid));
    expect(state()).toBe('created');
    expect(written()).toBe('');
    expect(await tested.runtime.start(ref('t'), {})).toEqual(made);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 7, reason: 'Exited' });
    expect(state()).toBe('stopped');
    expect(written()).toBe('out\nerr\n');
    await remove();
  });

  it('tells the exit of a task that ends within a millisecond of its start', async () => {
    for (let round = 0; round < 5; round += 1) {
      await run('exit 0');
      expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 0, reason: 'Exited' });
      await remove();
    }
  });

  it('sends signals to the very process', async () => {
    await run("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    await eventually(
      () => written(),
      (text) => text === 'ready\n',
      'the trap is set',
    );
    expect(await tested.runtime.kill(ref('t'), 15)).toBe(true);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 5 });
    expect(await tested.runtime.kill(ref('t'), 15)).toBe(false);
    await expect(tested.runtime.kill(ref('t'), 65)).rejects.toThrow(InvalidArgumentError);
    await expect(tested.runtime.kill(ref('t'), 0)).rejects.toThrow(InvalidArgumentError);
    await remove();
  });

  it('ends a task by KILL and deletes one that was never started', async () => {
    await run('sleep 1000');
    expect(await tested.runtime.kill(ref('t'), 9)).toBe(true);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137, reason: 'Exited' });
    await remove();
    await create('sleep 1000');
    await tested.runtime.kill(ref('t'), 9);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137 });
    await remove();
    await create('sleep 1000');
    await remove();
    await run('sleep 1000 & sleep 1000');
    await remove();
  });

  it('signals all processes, also a storm of them', async () => {
    await run('for i in 1 2 3; do sleep 1000 & done; echo ready; while :; do /bin/true & done');
    await eventually(
      () => written(),
      (text) => text === 'ready\n',
      'the storm blows',
    );
    await tested.runtime.killAll(ref('t'), 9);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137 });
    await eventually(
      () => tested.runtime.pids(ref('t')),
      (pids) => pids.length === 0,
      'all have ended',
    );
    await tested.runtime.killAll(ref('t'), 15);
    await remove();
  });

  it("ends what a task leaves running where it shares the node's pids", async () => {
    const { linux, ...rest } = spec(node, sh('sleep 1000 & exit 4'));
    const namespaces = linux?.namespaces?.filter(({ type }) => type !== 'pid') ?? [];
    await tested.runtime.create(record(node, 't', { ownPidNamespace: false }), { ...rest, linux: { namespaces } }, {});
    await tested.runtime.start(ref('t'), {});
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 4 });
    await eventually(
      () => tested.runtime.pids(ref('t')),
      (pids) => pids.length === 0,
      'the rest has ended',
    );
    await remove();
  });

  it('pauses and resumes', async () => {
    const { pid } = await run('i=0; while :; do i=$((i+1)); echo $i; done');
    await eventually(
      () => written(),
      (text) => text.length > 100,
      'it counts',
    );
    await tested.runtime.pause(ref('t'));
    expect(state()).toBe('paused');
    const before = written().length;
    const cpuTime = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).join(' ');
    const used = cpuTime();
    for (let round = 0; round < 20; round += 1) expect(state()).toBe('paused');
    expect(written().length).toBe(before);
    expect(cpuTime()).toBe(used);
    await tested.runtime.resume(ref('t'));
    await eventually(
      () => written().length,
      (length) => length > before,
      'it goes on',
    );
    expect(state()).toBe('running');
    await remove();
  });

  it('ends a paused task by KILL, and removes one that is paused', async () => {
    await run('sleep 1000');
    await tested.runtime.pause(ref('t'));
    await tested.runtime.kill(ref('t'), 9);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137 });
    await remove();
    await run('sleep 1000');
    await tested.runtime.pause(ref('t'));
    await remove();
  });

  it('lists the processes of a task', async () => {
    const { pid } = await run('sleep 1000 & sleep 1000 & wait');
    const pids = await eventually(
      () => tested.runtime.pids(ref('t')),
      (all) => all.length === 3,
      'three processes',
    );
    expect(pids).toContain(pid);
    await remove();
  });

  it('runs execs beside each other, tells their exits and forgets them', async () => {
    await run('sleep 1000');
    const names = ['a', 'b', 'c'];
    for (const [index, name] of names.entries()) {
      await tested.runtime.addExec(ref('t'), execRecord(name, sh(`echo ${name} $$; exit ${index}`), toFile(name)));
    }
    await Promise.all(names.map((name) => tested.runtime.startExec(ref('t'), parseExecId(name), {})));
    for (const [index, name] of names.entries()) {
      const exec = { ...ref('t'), execId: parseExecId(name) };
      expect(await tested.exitOf(exec)).toMatchObject({ status: index, reason: 'Exited' });
      expect(written(name)).toMatch(new RegExp(`^${name} \\d{1,2}\\n$`)); // a pid of the task's own namespace
      await tested.runtime.deleteExec(ref('t'), exec.execId);
      await tested.runtime.deleteExec(ref('t'), exec.execId);
    }
    expect(readdirSync(join(node.state, 'tasks/default/t/exec'))).toEqual([]);
    await remove();
  });

  it('ends execs by signal, and with their task', async () => {
    await run('sleep 1000');
    for (const name of ['a', 'b']) {
      await tested.runtime.addExec(ref('t'), execRecord(name, sh('exec sleep 1000')));
      await tested.runtime.startExec(ref('t'), parseExecId(name), {});
    }
    const [a, b] = ['a', 'b'].map((name) => ({ ...ref('t'), execId: parseExecId(name) }));
    expect(await tested.runtime.kill(a!, 9)).toBe(true);
    expect(await tested.exitOf(a!)).toMatchObject({ status: 137 });
    await tested.runtime.kill(ref('t'), 9);
    expect(await tested.exitOf(b!)).toMatchObject({ status: 137 });
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137 });
    await remove();
  });

  it("tells the runtime's reason for an exec that cannot be run", async () => {
    await run('sleep 1000');
    await tested.runtime.addExec(ref('t'), execRecord('a', ['/no/such/program']));
    await expect(tested.runtime.startExec(ref('t'), parseExecId('a'), {})).rejects.toThrow(/no such file/i);
    expect(tested.exits).toEqual([]);
    await tested.runtime.deleteExec(ref('t'), parseExecId('a'));
    await remove();
  });

  it.each([
    ['a program that is not there', () => spec(node, ['/no/such/program']), /no such file/i],
    ['a root that is not there', () => spec(node, sh('x'), { root: { path: '/no/such/root' } }), /no such file/i],
    [
      'a mount that cannot be made',
      () =>
        spec(node, sh('x'), { mounts: [{ destination: '/tmp', type: 'bind', source: '/no/such', options: ['bind'] }] }),
      /no such file/i,
    ],
  ])('leaves nothing of a create with %s', async (_what, broken, message) => {
    const failure: unknown = await tested.runtime
      .create(record(node, 't'), broken(), {})
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RuntimeFailedError);
    expect((failure as Error).message).toMatch(message);
    expect(node.leftovers()).toEqual([]);
    expect(readdirSync(join(node.state, 'tasks/default'))).toEqual([]);
    expect(tested.exits).toEqual([]);
  });

  it('refuses a runtime that is not there', async () => {
    await expect(create('x', { runtime: 'no-such-runtime' })).rejects.toThrow(NotFoundError);
    expect(node.leftovers()).toEqual([]);
  });

  it('changes limits while the task runs', async () => {
    await run('sleep 1000');
    const resources: LinuxResources = {
      memory: { limit: 67_108_864 },
      cpu: { quota: 50_000, period: 100_000 },
      pids: { limit: 50 },
    };
    await tested.runtime.update(ref('t'), resources, {});
    using stats = tested.runtime.openStats(ref('t'));
    const read = stats.read();
    expect(read?.memory?.limitBytes).toBe(67_108_864n);
    expect(read?.cpu).toMatchObject({ quotaUsec: 50_000n, periodUsec: 100_000n });
    expect(read?.pids?.limit).toBe(50n);
    const tooLittle = { memory: { limit: 4096 }, pids: { limit: 60 } };
    await expect(tested.runtime.update(ref('t'), tooLittle, {})).rejects.toThrow(FailedPreconditionError);
    expect(stats.read()?.pids?.limit, 'the rest is changed all the same').toBe(60n);
    await remove();
    expect(stats.read()).toBeUndefined();
  });

  it('says that memory ran out, once, and before the end', async () => {
    const resources = { memory: { limit: 16 * 1024 * 1024, swap: 16 * 1024 * 1024 } };
    await run('exec tail /dev/zero', {}, resources);
    const exit = await tested.exitOf(ref('t'));
    expect(exit).toMatchObject({ status: 137, reason: 'OOMKilled' });
    expect(exit.final?.oomKills).toBe(1n);
    expect(exit.final?.peakMemoryBytes).toBeGreaterThan(8n * 1024n * 1024n);
    expect(tested.outOfMemory).toEqual([ref('t')]);
    await remove();
  });

  it('mounts the root file system and takes it away again', async () => {
    const rootfs = [{ type: 'bind', source: node.rootfs, options: ['rbind', 'ro'] }];
    const { root: _, ...rootless } = spec(node, sh('ls /bin/busybox; exit 0'));
    await tested.runtime.create(record(node, 't', { io: toFile(), rootfs }), rootless, {});
    await tested.runtime.start(ref('t'), {});
    await tested.exitOf(ref('t'));
    expect(written()).toBe('/bin/busybox\n');
    await remove();
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
  });
});
