import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inNamespace, replies, unary } from '#api/client.ts';
import type { DrainReply } from '#api/gen/runlet/v1/runlet.ts';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { AgentTasks } from '../support/agent-tasks.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
let agent: RunningAgent;
let tasks: AgentTasks;
beforeAll(async () => {
  node = makeAgentNode();
  agent = await node.start();
  tasks = new AgentTasks(agent);
});
afterAll(async () => {
  await node.clean();
});
afterEach(async () => {
  for (const { id } of await tasks.list()) await tasks.remove(id);
});

const runlet = () => agent.api.runlet;

async function restart(id: string): Promise<void> {
  await unary(runlet().restart.bind(runlet()), { namespace: 'default', id });
}

async function update(id: string, resources: object): Promise<void> {
  const request = { namespace: 'default', id, resourcesJson: JSON.stringify(resources) };
  await unary(runlet().update.bind(runlet()), request);
}

async function usage(id: string): Promise<object | undefined> {
  const { tasks: found } = await unary(runlet().stats.bind(runlet()), { namespace: 'default', ids: [id] });
  return found[0];
}

/** What is on the node of a task: its bundle, layer, volumes and logs. */
function traces(id: string): readonly string[] {
  return [
    `${node.state}/tasks/default/${id}`,
    `${node.root}/images/layers/default%2F${id}`,
    `${node.root}/volumes/default/${id}`,
    `${node.root}/records/containers/default/${id}.json`,
    `${node.logs}/default/${id}`,
  ].filter((path) => existsSync(path));
}

describe('a task made by hand', () => {
  it.each(['tasks', 'memory.stat', 'cgroup.procs'])('may be called %s, as a file of each cgroup is', async (id) => {
    await tasks.run(id, 'exit 4');
    expect(await tasks.until(id, 'stopped')).toMatchObject({ exitStatus: 4, reason: 'Exited' });
    await tasks.remove(id);
    expect(traces(id)).toEqual([]);
  });

  it('runs in a root file system that it cannot change for others', async () => {
    await tasks.run('writer', 'echo mine > /etc/written; cat /etc/written; hostname; exit 3');
    expect(await tasks.until('writer', 'stopped')).toMatchObject({ exitStatus: 3, reason: 'Exited', image: '' });
    expect(await tasks.logs('writer')).toEqual(['mine', 'writer']);
    expect(existsSync(`${node.rootfs}/etc/written`)).toBe(false);
    expect(readFileSync(`${node.logs}/default/writer/0.log`, 'utf8')).toMatch(/^\S+ stdout F mine\n/);
  });

  it('leaves nothing when it is removed', async () => {
    await tasks.run('gone', 'sleep 1000', {
      volumes: [{ name: 'v', emptyDir: {} }],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    });
    expect(traces('gone')).toHaveLength(5);
    await tasks.remove('gone');
    expect(traces('gone')).toEqual([]);
    expect(node.leftovers().filter((what) => !what.startsWith('process'))).toEqual([]);
  });

  it('is not removed while it runs unless by force', async () => {
    await tasks.run('busy', 'sleep 1000');
    const remove = unary(runlet().remove.bind(runlet()), { namespace: 'default', id: 'busy', force: false });
    await expect(remove).rejects.toThrow('task default/busy is running: stop it first, or remove it by force');
    expect(await tasks.find('busy')).toMatchObject({ status: 'running' });
  });

  it.each([
    [{ command: ['/no/such/program'] }, '/no/such/program'],
    [{ command: ['true'], securityContext: { runAsNonRoot: true } }, 'runAsNonRoot'],
    [{ command: ['true'], securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'x' } } }, 'no x'],
    [{ command: ['true'], rootfs: { path: '/nonexistent' } }, '/nonexistent'],
    [{ command: ['true'], colour: 'red' }, 'spec.colour: is no known field'],
    [
      { command: ['true'], terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: must be at least 0',
    ],
  ])('that cannot be made, %j, leaves nothing behind', async (spec, message) => {
    await expect(tasks.create('half', { rootfs: { path: node.rootfs }, ...spec })).rejects.toThrow(message);
    expect(traces('half').filter((path) => !path.startsWith(node.logs))).toEqual([]);
    expect(await tasks.list()).toEqual([]);
    expect(node.leftovers().filter((what) => !what.startsWith('process'))).toEqual([]);
  });

  it('has a name of its own', async () => {
    await tasks.run('one', 'sleep 1000');
    await expect(tasks.run('one', 'true')).rejects.toThrow('already exists');
    expect(await tasks.find('one')).toMatchObject({ status: 'running' });
  });

  it('keeps its volumes over a restart, and nothing else of what it wrote', async () => {
    const script = 'echo run >> /v/runs; wc -l < /v/runs; cat /here; echo here > /here; sleep 1000';
    const volume = { volumes: [{ name: 'v', emptyDir: {} }], volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    await tasks.run('again', script, { ...volume, stopSignal: 'KILL' });
    const first = await tasks.until('again', 'running');
    await eventually(
      () => tasks.logs('again'),
      (lines) => lines.length === 2,
      'the first run writes',
    );
    await restart('again');
    const second = await tasks.until('again', 'running');
    expect(second.pid).not.toBe(first.pid);
    expect(second.restarts).toBe(1);
    const lines = await eventually(
      () => tasks.logs('again'),
      (now) => now.length === 2,
      'the second run writes',
    );
    expect(lines).toEqual(['2', "cat: can't open '/here': No such file or directory"]);
    expect((await tasks.logs('again', { attempt: 0 }))[0]).toBe('1');
    expect(readdirSync(`${node.logs}/default/again`).toSorted()).toEqual(['0.log', '1.log']);
  });

  it('is stopped by its own signal, then by KILL when its time is over', async () => {
    await tasks.run('polite', 'trap "echo bye; exit 7" USR1; echo up; while :; do sleep 0.02; done', {
      stopSignal: 'USR1',
    });
    await eventually(
      () => tasks.logs('polite'),
      (lines) => lines.includes('up'),
      'it runs',
    );
    await unary(runlet().stop.bind(runlet()), { namespace: 'default', id: 'polite', graceMs: undefined });
    expect(await tasks.find('polite')).toMatchObject({ status: 'stopped', exitStatus: 7 });
    await tasks.run('deaf', 'trap "" TERM; echo up; while :; do sleep 0.02; done');
    await eventually(
      () => tasks.logs('deaf'),
      (lines) => lines.includes('up'),
      'it runs',
    );
    await unary(runlet().stop.bind(runlet()), { namespace: 'default', id: 'deaf', graceMs: 50 });
    expect(await tasks.find('deaf')).toMatchObject({ status: 'stopped', exitStatus: 137 });
  });

  it('is thawed to be stopped', async () => {
    await tasks.run('frozen', 'trap "exit 5" TERM; echo up; while :; do sleep 0.02; done');
    await eventually(
      () => tasks.logs('frozen'),
      (lines) => lines.includes('up'),
      'it runs',
    );
    const { tasks: service } = agent.api;
    await unary(service.pause.bind(service), { containerId: 'frozen' }, { metadata: inNamespace('default') });
    await unary(runlet().stop.bind(runlet()), { namespace: 'default', id: 'frozen', graceMs: 30_000 });
    expect(await tasks.find('frozen')).toMatchObject({ status: 'stopped', exitStatus: 5 });
  });

  it('runs as the user that its root file system knows', async () => {
    await tasks.run('user', 'id -u; id -g; id -G', { securityContext: { runAsUser: 1000 } });
    await tasks.until('user', 'stopped');
    expect(await tasks.logs('user')).toEqual(['1000', '1000', '1000 2000']);
  });

  it('changes its limits while it runs, keeps the others, and has them after a restart', async () => {
    await tasks.run('limits', 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; sleep 1000', {
      resources: { limits: { memory: '64Mi', pids: '50' } },
      stopSignal: 'KILL',
    });
    await update('limits', { limits: { pids: '70' } });
    expect(await usage('limits')).toMatchObject({ pidsLimit: 70n, memoryLimitBytes: 64n * 1024n * 1024n });
    await expect(update('limits', { limits: { pids: 'many' } })).rejects.toThrow('limits.pids');
    await restart('limits');
    expect(await usage('limits')).toMatchObject({ pidsLimit: 70n, memoryLimitBytes: 64n * 1024n * 1024n });
  });

  it('tells its output as it comes, until it ends', async () => {
    await tasks.run('lines', 'for n in 1 2 3 4 5; do echo $n; sleep 0.1; done; echo error >&2');
    expect(await tasks.logs('lines', { follow: true })).toEqual(['1', '2', '3', '4', '5', 'error']);
    expect(await tasks.logs('lines', { tail: 2 })).toEqual(['5', 'error']);
  });
});

describe('drain', () => {
  it('stops every task of every namespace', async () => {
    await tasks.run('a', 'sleep 1000', { stopSignal: 'KILL' });
    const other = new AgentTasks(agent, 'other');
    await other.run('b', 'sleep 1000', { stopSignal: 'KILL' });
    const told: string[] = [];
    for await (const { namespace, id, outcome } of replies(runlet().drain({ graceMs: undefined }))) {
      told.push(`${namespace}/${id} ${outcome}`);
    }
    expect(told.toSorted()).toEqual(['default/a stopped', 'other/b stopped']);
    expect(await tasks.find('a')).toMatchObject({ status: 'stopped', exitStatus: 137 });
    await other.remove('b');
  });
});

describe('drain of an agent that follows a folder of manifests', () => {
  it('keeps what it stopped stopped, until the next agent', async () => {
    const other = makeAgentNode();
    try {
      const manifests = join(other.folder, 'manifests');
      mkdirSync(manifests, { mode: 0o700 });
      const flags = ['--manifests', manifests, '--rootfs-allow', other.folder];
      const object = {
        ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'web' } },
        spec: { rootfs: { path: other.rootfs }, command: ['/bin/sleep', '1000'], stopSignal: 'KILL' },
      };
      writeFileSync(join(manifests, 'web.json'), JSON.stringify(object));
      const first = await other.start({ flags });
      const before = await new AgentTasks(first, 'k8s.default').until('web', 'running');
      const told: DrainReply[] = [];
      for await (const reply of replies(first.api.runlet.drain({ graceMs: undefined }))) told.push(reply);
      expect(told).toMatchObject([{ id: 'web', outcome: 'stopped' }]);
      expect(await new AgentTasks(first, 'k8s.default').find('web')).toMatchObject({ status: 'stopped' });
      await first.stop();
      const second = await other.start({ flags });
      const after = await new AgentTasks(second, 'k8s.default').until('web', 'running');
      expect(after.pid).not.toBe(before.pid);
    } finally {
      await other.clean();
    }
  });
});
