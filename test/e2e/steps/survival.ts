import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connectApi } from '#api/client.ts';
import { cgroupFolders, type KubeObject } from '../../support/cluster.ts';
import { ContainerdClient, type ClientTask } from '../../support/containerd-client.ts';
import { eventually, type TestNode } from '../../support/node.ts';
import { limitMs, system, timeout, type Release } from '../../support/release.ts';
import { namespace, print, type Tickers } from './tickers.ts';

/** Generous: what is measured is printed. */
const longestAdoptionMs = 60_000;

/** Everything that may happen to an agent and its node while tasks run. */
export function survivalSteps(release: () => Release, tickers: () => Tickers): void {
  const adopted = async (what: string, pod: KubeObject) => {
    const tookMs = await release().adoptionMs(pod);
    print(`${what}: the agent served ${Math.round(tookMs)} ms after its start`);
    expect(tookMs).toBeLessThan(longestAdoptionMs);
  };

  it('runs a hundred tasks', async () => {
    await tickers().make();
    expect(await tickers().missed('before anything')).toEqual([]);
  });

  it('misses no tick over an upgrade and a rollback, nor what goes through a client’s FIFOs', async () => {
    const first = await release().agentReady();
    const client = await Typist.start(release());
    client.type('before\n');
    await release().upgrade('--set', 'agent.logLevel=debug');
    const second = await release().agentReady(first);
    client.type('between\n');
    await adopted('100 tasks after an upgrade', second);
    expect(await tickers().missed('over an upgrade')).toEqual([]);
    expect(await tickers().changes()).toEqual([]);
    await release().rollback(1);
    await release().agentReady(second);
    expect(await tickers().missed('over a rollback')).toEqual([]);
    expect(await tickers().changes()).toEqual([]);
    client.type('after\n');
    expect(await client.end()).toEqual({ output: 'before\nbetween\nafter\n', exitStatus: 0 });
    await release().test();
  });

  it('takes two hundred tasks on when its pod was deleted', async () => {
    await makeSleepers(release());
    const before = await release().agentReady();
    await release().cluster.kubectl(['delete', 'pod', ...system, before.metadata.name, '--wait=false']);
    const pod = await release().agentReady(before);
    await adopted('200 tasks', pod);
    expect(await tickers().missed('over the end of a pod')).toEqual([]);
    expect(await tickers().changes()).toEqual([]);
  });

  it('is killed for its memory alone: its tasks have no part in that', async () => {
    const pod = await release().agentReady();
    await exhaust(release(), pod);
    const look = async () => (await release().agents())[0]?.status?.['containerStatuses'] ?? [];
    const state = { lastState: { terminated: { exitCode: 137 } }, ready: true };
    await eventually(look, (found) => matches(found, state), 'a container that was killed and came back', limitMs);
    expect(await tickers().missed('over a kill for memory')).toEqual([]);
    expect(await tickers().changes()).toEqual([]);
  });

  it('keeps tasks, and the exits of those that end, while neither an agent nor its image is on the node', async () => {
    const { cluster } = release();
    await release().setAgentWanted(false);
    await removeImage(release());
    const ending = tickers().alive.slice(0, 5);
    const pids = ending.map((name) => String(tickers().pidOf(name)));
    await cluster.namespaces.run(['kill', '-USR1', ...pids]);
    const left = async () => (await cluster.namespaces.run(['ls', '/proc'])).stdout.split('\n');
    await eventually(left, (found) => !pids.some((pid) => found.includes(pid)), 'the end of five tasks', limitMs);
    tickers().forget(...ending);
    expect(await monitorsWithout(release(), '/var/lib/runlet/bin/')).toEqual([]);
    expect(await tickers().missed('without agent and image')).toEqual([]);
    await release().importImage();
    await release().setAgentWanted(true);
    await release().agentReady();
    expect(await tickers().changes()).toEqual([]);
    const statuses = await tickers().statuses();
    const exits = ending.map((name) => [statuses.get(name)?.['state'], statuses.get(name)?.['exitStatus']]);
    expect(exits).toEqual(ending.map(() => ['Stopped', 42]));
  });

  it('goes on when containerd of the node was killed and started again', async () => {
    await release().cluster.restartContainerd();
    expect(await tickers().missed('over a restart of containerd')).toEqual([]);
    expect(await tickers().changes()).toEqual([]);
    await release().agentReady();
  });
}

/** A client of containerd's API that types into a task and reads what it says, through FIFOs that it made itself. */
class Typist {
  readonly #release: Release;
  readonly #task: ClientTask;
  readonly #stdin: ReturnType<ClientTask['openStdin']>;

  private constructor(release: Release, task: ClientTask, stdin: ReturnType<ClientTask['openStdin']>) {
    this.#release = release;
    this.#task = task;
    this.#stdin = stdin;
  }

  static async start(release: Release): Promise<Typist> {
    using api = connectApi(socketOf(release));
    const task = await clientOf(release, api).container('typist', ['/bin/cat']);
    await task.create(task.fifos({ stdin: true }));
    await task.start();
    return new Typist(release, task, task.openStdin());
  }

  type(text: string): void {
    this.#stdin.write(text);
  }

  /** Leaves, by an agent that has never seen it, and removes the task. */
  async end(): Promise<{ readonly output: string; readonly exitStatus: number }> {
    using api = connectApi(socketOf(this.#release));
    const client = clientOf(this.#release, api);
    const task = client.task('typist');
    this.#stdin[Symbol.dispose]();
    await task.closeIo();
    const { exitStatus } = await task.wait();
    await task.delete();
    await client.deleteContainer('typist');
    return { output: await this.#task.output, exitStatus };
  }
}

function socketOf({ cluster }: Release): string {
  return cluster.own('/run/runlet/runlet.sock');
}

/** Its files are below a folder that has the same path in the agent's pod. */
function clientOf(release: Release, api: ReturnType<typeof connectApi>): ContainerdClient {
  const node = { folder: release.rootfs, rootfs: join(release.rootfs, 'busybox') } as TestNode;
  return new ContainerdClient(api, node, 'default');
}

async function makeSleepers({ cluster, images }: Release): Promise<void> {
  const items = Array.from({ length: 100 }, (_, index) => ({
    ...{ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: `sleeper-${index}`, namespace } },
    spec: {
      ...{ nodeName: cluster.nodeName, image: images.busybox, command: ['/bin/sleep', 'infinity'] },
      ...{ runState: index % 10 === 0 ? 'Paused' : 'Running', stopSignal: 'KILL' },
      resources: { limits: { memory: '16Mi' } },
    },
  }));
  await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const all = ['nodetask', '--all', '-n', namespace];
  await cluster.kubectl(['wait', ...all, '--for=condition=Ready', `--timeout=${timeout}`]);
}

/** Lowers the limit of the agent's own cgroup to what it uses, and uses more there, until the kernel kills it. */
async function exhaust(release: Release, pod: KubeObject): Promise<void> {
  const [status] = (pod.status?.['containerStatuses'] ?? []) as readonly { readonly containerID: string }[];
  const id = status?.containerID.replace('containerd://', '') ?? '';
  const folder = cgroupOf(release, id);
  for (const end = performance.now() + limitMs; existsSync(folder) && performance.now() < end;) {
    lowerLimit(folder);
    // Memory of no process: the kernel kills the largest, which is the agent. It fails when the container ends.
    const fill = ['sh', '-c', 'head -c 60M /dev/zero >/dev/shm/full'];
    await release.cluster.ctr('tasks', 'exec', '--exec-id', randomUUID(), id, ...fill).catch(() => {});
  }
}

function lowerLimit(folder: string): void {
  const [limit, usage] = existsSync(join(folder, 'memory.max'))
    ? ['memory.max', 'memory.current']
    : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
  // Under v1 the kernel refuses what is less than it can reclaim, under v2 it kills.
  for (const spareBytes of [-(2 ** 22), 2 ** 22]) {
    try {
      const used = Number(readFileSync(join(folder, usage), 'utf8'));
      writeFileSync(join(folder, limit), String(used + spareBytes));
      return;
    } catch {
      // refused, or gone with the container
    }
  }
}

function cgroupOf({ cluster }: Release, id: string): string {
  const folder = cgroupFolders(cluster.cgroup).find((path) => /memory|cgroup\/[^/]*$/.test(path));
  const found = readdirSync(folder ?? '', { recursive: true, withFileTypes: true }).find(({ name }) => name === id);
  if (!found) throw new Error(`no cgroup of container ${id}`);
  return join(found.parentPath, found.name);
}

function matches(found: unknown, wanted: object): boolean {
  try {
    expect(found).toMatchObject([wanted]);
    return true;
  } catch {
    return false;
  }
}

/** By all of its names, so that containerd lets go of its layers. */
async function removeImage({ cluster }: Release): Promise<void> {
  const lines = (await cluster.ctr('images', 'list')).split('\n').map((line) => line.split(/\s+/));
  const digest = lines.find(([name]) => name?.includes('/runlet:'))?.[2];
  const names = lines.flatMap(([name = '', , its]) => (digest !== undefined && its === digest ? [name] : []));
  expect(names.length).toBeGreaterThan(0);
  await cluster.ctr('images', 'remove', '--sync', ...names);
}

/** The monitors that run a program which is not below a folder of the node. */
async function monitorsWithout({ cluster }: Release, folder: string): Promise<string[]> {
  const script = 'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline && echo; done 2>/dev/null; true';
  const { stdout } = await cluster.namespaces.run(['bash', '-c', script]);
  const monitors = stdout.split('\n').filter((line) => /^\S*\/conmon /.test(line));
  if (monitors.length < 100) throw new Error(`there are ${monitors.length} monitors: ${stdout.slice(0, 2000)}`);
  return monitors.filter((line) => !line.startsWith(folder));
}
