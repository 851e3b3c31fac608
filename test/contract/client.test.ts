/** What containerd's own client tests check of tasks, over the raw API against an agent on the real machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unary } from '#api/client.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import { Status } from '#api/gen/containerd/types/task.ts';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { ClientTask, ContainerdClient } from '../support/containerd-client.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
let agent: RunningAgent;
let client: ContainerdClient;
let count = 0;

beforeAll(async () => {
  node = makeAgentNode();
  agent = await node.start();
});
afterAll(async () => {
  await agent.stop();
  await node.clean();
});
beforeEach(() => {
  count += 1;
  client = new ContainerdClient(agent.api, node, `client${count}`);
});
afterEach(async () => {
  await removeAll();
  // The agent itself and the holders of its locks go on.
  await eventually(
    () => node.leftovers().filter((what) => !/main\.ts agent|flock /.test(what)),
    (left) => left.length === 0,
    'nothing is left behind',
  );
});

/** Removes what a test left in its namespace, whatever has become of it. */
async function removeAll(): Promise<void> {
  const { containers, tasks } = client.api;
  const { containers: all } = await unary(containers.list.bind(containers), { filters: [] }, client);
  const { tasks: running } = await unary(tasks.list.bind(tasks), { filter: '' }, client);
  for (const { id } of all) {
    if (running.some((task) => task.id === id)) await new ClientTask(client, id, '').remove();
    else await client.deleteContainer(id);
  }
}

const sleep = ['/bin/sleep', '1000'];
const sh = (script: string) => ['/bin/sh', '-c', script];

describe('a client of containerd', () => {
  it('lists no containers where there are none', async () => {
    const { containers } = client.api;
    expect(await unary(containers.list.bind(containers), { filters: [] }, client)).toEqual({ containers: [] });
  });

  it('waits before the start and gets the exit status from Wait and Delete alike', async () => {
    const task = await client.container('a', sh('exit 7'));
    expect(await task.create()).toBeGreaterThan(0);
    const waiting = task.wait();
    await task.start();
    const exit = await waiting;
    expect(exit.exitStatus).toBe(7);
    expect(await task.wait()).toEqual(exit);
    const { exitedAt } = await task.get();
    expect(Number(exitedAt?.seconds)).toBe(Math.floor(exit.exitedAtMs / 1000));
    expect(await task.delete()).toBe(7);
  });

  it('reads all output through its FIFOs', async () => {
    const task = await client.container('a', sh('echo out; echo err >&2; seq 1 50000'));
    await task.create(task.fifos());
    await task.start();
    await task.wait();
    await task.delete();
    const lines = (await task.output).split('\n');
    expect(lines[0]).toBe('out');
    expect(lines).toHaveLength(50_002);
    expect(await task.errors).toBe('err\n');
  });

  it('runs another process in the task, whose end leaves the task alone', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    const exec = await task.exec('e', sh('exit 6'));
    await exec.start();
    expect((await exec.wait()).exitStatus).toBe(6);
    expect((await exec.wait()).exitStatus).toBe(6);
    expect(await exec.delete()).toBe(6);
    await expect(exec.get()).rejects.toMatchObject({ code: 'not-found' });
    expect((await task.get()).status).toBe(Status.RUNNING);
  });

  it('gives an exec an argument of 20,000 bytes', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    const exec = await task.exec('e', ['/bin/echo', 'x'.repeat(20_000)], (each) => each.fifos());
    await exec.start();
    await exec.wait();
    expect((await exec.output).length).toBe(20_001);
    await exec.delete();
  });

  it('lists the pids of a task, its own among them', async () => {
    const task = await client.container('a', sh('sleep 1000 & wait'));
    await task.create();
    const pid = await task.start();
    const pids = await eventually(
      () => task.pids(),
      ({ length }) => length === 2,
      'two processes',
    );
    expect(pids).toContain(pid);
  });

  it('ends cat by closing its stdin', async () => {
    const task = await client.container('a', ['/bin/cat']);
    await task.create(task.fifos({ stdin: true }));
    await task.start();
    using stdin = task.openStdin();
    stdin.write('hello\n');
    stdin[Symbol.dispose]();
    await task.closeIo();
    await task.closeIo();
    expect((await task.wait()).exitStatus).toBe(0);
    expect(await task.output).toBe('hello\n');
  });

  it('attaches a second client to the same streams', async () => {
    const task = await client.container('a', ['/bin/cat']);
    await task.create(task.fifos({ stdin: true }));
    await task.start();
    {
      using first = task.openStdin();
      first.write('first\n');
    }
    using second = task.openStdin();
    second.write('second\n');
    second[Symbol.dispose]();
    await task.closeIo();
    await task.wait();
    expect(await task.output).toBe('first\nsecond\n');
  });

  it('may kill once; killing what has ended is not found, killing all of it is nothing', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    await task.kill(9);
    expect((await task.wait()).exitStatus).toBe(137);
    await expect(task.kill(9)).rejects.toMatchObject({ code: 'not-found' });
    await task.kill(9, true);
  });

  it('is told at Create that the program is not there, and no exit is told', async () => {
    const task = await client.container('a', ['/bin/nonesuch']);
    await expect(task.create()).rejects.toThrow(/nonesuch/);
    expect(agent.log()).not.toMatch(/"topic":"\/tasks\/exit".*nonesuch/);
    await expect(task.get()).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is told at Start of an exec that the program is not there; the task goes on', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    const exec = await task.exec('e', ['/bin/nonesuch']);
    await expect(exec.start()).rejects.toThrow(/nonesuch/);
    expect((await task.get()).status).toBe(Status.RUNNING);
    await exec.delete();
  });

  it('may not delete what runs', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    await expect(task.delete()).rejects.toMatchObject({ code: 'failed-precondition' });
    const exec = await task.exec('e', sleep);
    await exec.start();
    await expect(exec.delete()).rejects.toMatchObject({ code: 'failed-precondition' });
    await exec.kill(9);
    await exec.wait();
    expect(await exec.delete()).toBe(137);
  });

  it('deletes an exec that never started, with status 0', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    const exec = await task.exec('e', sleep);
    expect(await exec.delete()).toBe(0);
  });

  it('deletes a task that never started; Wait and Delete say 137 and the same time', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    const waiting = task.wait();
    expect(await task.delete()).toBe(137);
    const { exitStatus, exitedAtMs } = await waiting;
    expect(exitStatus).toBe(137);
    expect(Math.abs(exitedAtMs - Date.now())).toBeLessThan(60_000);
  });

  it('sets the host name of the specification', async () => {
    const task = await client.container('a', ['/bin/hostname'], { hostname: 'my-host' });
    await task.create(task.fifos());
    await task.start();
    await task.wait();
    expect(await task.output).toBe('my-host\n');
  });

  it('reads metrics of a created task, and none of a deleted one', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    expect(await task.metrics()).toMatchObject([{ id: 'a' }]);
    await task.delete();
    expect(await task.metrics()).toEqual([]);
  });

  it('keeps an id of 64 bytes in a namespace of 76', async () => {
    client = new ContainerdClient(agent.api, node, `n${count}${'x'.repeat(76)}`.slice(0, 76));
    const task = await client.container('i'.repeat(64), sh('echo ok'));
    await task.create(task.fifos({ terminal: true }));
    await task.start();
    expect((await task.wait()).exitStatus).toBe(0);
    await task.delete();
    expect(await task.output).toBe('ok\r\n');
  });

  it('loses nothing of large outputs on a terminal, with one id used again and again', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    for (let round = 0; round < 8; round += 1) {
      const exec = await task.exec('e', sh('seq 1 100000'), (each) => each.fifos({ terminal: true }));
      await exec.start();
      await exec.wait();
      const output = await exec.output;
      expect(output.split('\r\n')).toHaveLength(100_001);
      await exec.delete();
    }
  });

  it('has a pid for a process that ends at once', async () => {
    const task = await client.container('a', ['/bin/true']);
    expect(await task.create()).toBeGreaterThan(0);
    expect(await task.start()).toBeGreaterThan(0);
    await task.wait();
  });

  it('leaves no child behind when it kills the first process', async () => {
    const task = await client.container('a', sh('sleep 1000 & sleep 1000 & wait'));
    await task.create();
    await task.start();
    await eventually(
      () => task.pids(),
      ({ length }) => length === 3,
      'three processes',
    );
    await task.kill(9);
    await task.wait();
    expect(await task.pids()).toEqual([]);
  });

  it('kills all processes of a task that shares the machine’s pid namespace, and they all end with its first', async () => {
    const linux = { namespaces: [{ type: 'mount' as const }] };
    const task = await client.container('a', sh('sleep 1000 & sleep 1000 & wait'), { linux });
    await task.create();
    await task.start();
    await eventually(
      () => task.pids(),
      ({ length }) => length === 3,
      'three processes',
    );
    await task.kill(9);
    expect((await task.wait()).exitStatus).toBe(137);
    await eventually(
      () => task.pids(),
      ({ length }) => length === 0,
      'none is left',
    );
  });

  it('sets the terminal’s size before the start', async () => {
    const task = await client.container('a', sh('stty size'));
    await task.create(task.fifos({ terminal: true, stdin: true }));
    await task.resize(123, 45);
    await task.start();
    await task.wait();
    expect(await task.output).toBe('45 123\r\n');
  });

  it('runs without a stdin', async () => {
    const task = await client.container('a', ['/bin/cat']);
    await task.create(task.fifos());
    await task.start();
    expect((await task.wait()).exitStatus).toBe(0);
  });

  it('has a user and group of the specification’s own', async () => {
    const process = { user: { uid: 1000, gid: 0 }, args: sh('id -u; id -g'), env: ['PATH=/bin'], cwd: '/' };
    const task = await client.container('a', [], { process });
    await task.create(task.fifos());
    await task.start();
    await task.wait();
    expect(await task.output).toBe('1000\n0\n');
  });

  it('changes a memory limit before the start', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.update({ memory: { limit: 64 * 1024 * 1024 } });
    const group = new CgroupGroup(node.hierarchy, `${node.cgroupParent}/${client.namespace}/a`);
    const name = node.hierarchy.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    expect(readFileSync(join(group.folder('memory') ?? '', name), 'utf8')).toBe('67108864\n');
  });

  it('names the runtime that is not there', async () => {
    const task = await client.container('a', sleep);
    await expect(task.create(undefined, { binaryName: 'no-such-runtime' })).rejects.toThrow(/no-such-runtime/);
  });

  it('honours a root of its own for the runtime’s state', async () => {
    const task = await client.container('a', sleep);
    const root = join(node.folder, 'own-root');
    await task.create(undefined, { root });
    expect(execFileSync('runc', ['--root', root, 'list', '-q'], { encoding: 'utf8' })).toBe('a\n');
    await task.delete();
    expect(execFileSync('runc', ['--root', root, 'list', '-q'], { encoding: 'utf8' })).toBe('');
  });

  it('still gets an answer when somebody removed the container with runc', async () => {
    const task = await client.container('a', sleep);
    const root = join(node.folder, 'own-root');
    await task.create(undefined, { root });
    await task.start();
    const waiting = task.wait();
    execFileSync('runc', ['--root', root, 'delete', '--force', 'a']);
    expect((await waiting).exitStatus).toBe(137);
    await expect(task.kill(9)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('sees a process that was killed before its start as stopped', async () => {
    const task = await client.container('a', sleep);
    const pid = await task.create();
    process.kill(pid, 'SIGKILL');
    expect((await task.wait()).exitStatus).toBe(137);
    expect((await task.get()).status).toBe(Status.STOPPED);
    await expect(task.start()).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('thaws what it kills while it is paused', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    await task.pause();
    expect((await task.get()).status).toBe(Status.PAUSED);
    await task.kill(9);
    expect((await task.wait()).exitStatus).toBe(137);
  });

  it('runs a hook of the specification at Create', async () => {
    const made = join(node.folder, `hook-${count}`);
    const hooks = { prestart: [{ path: '/bin/busybox', args: ['touch', made] }] };
    const task = await client.container('a', sleep, { hooks });
    await task.create();
    expect(readFileSync(made, 'utf8')).toBe('');
  });

  it('delivers the end of a task whose execs are being started', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    await task.start();
    const execs = await Promise.all(['e1', 'e2'].map((id) => task.exec(id, sleep)));
    const starts = Promise.allSettled(execs.map((exec) => exec.start()));
    await task.kill(9);
    expect((await task.wait()).exitStatus).toBe(137);
    await starts;
    expect((await task.get()).status).toBe(Status.STOPPED);
  });

  it('finds its tasks again after the agent has come back', async () => {
    const task = await client.container('a', sleep);
    await task.create();
    const pid = await task.start();
    const waiting = task.wait().catch((error: unknown) => error);
    await agent.stop('SIGKILL');
    await waiting;
    agent = await node.start();
    client = new ContainerdClient(agent.api, node, client.namespace);
    const again = new ClientTask(client, 'a', '');
    expect(await again.get()).toMatchObject({ pid, status: Status.RUNNING });
    await again.kill(9);
    expect((await again.wait()).exitStatus).toBe(137);
  });
});
