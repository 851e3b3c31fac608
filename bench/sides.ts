import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '#api/gen/containerd/runc/v1/options.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { makeAgentNode } from '../test/support/agent.ts';
import { startContainerd } from '../test/support/containerd.ts';
import { ContainerdClient, type ClientTask } from '../test/support/containerd-client.ts';
import { makeTestNode, type TestNode } from '../test/support/node.ts';
import { freePort } from '../test/support/prometheus.ts';
import { leanClient } from './lean-client.ts';
import { cpuMsOf, memoryOf, processesNamed, sumOf, type Memory } from './program.ts';

const namespace = 'bench';

/** A server of containerd's API with a client of its own, both made for the measurements. */
export interface Side extends AsyncDisposable {
  readonly name: 'containerd' | 'runlet';
  readonly client: ContainerdClient;
  /** Makes a container and its task, which is not started. */
  make(id: string, args: readonly string[]): Promise<ClientTask>;
  /** Creates the task of a container that is there. */
  create(task: ClientTask): Promise<number>;
  /** Makes a container without a task. */
  container(id: string, args: readonly string[]): Promise<ClientTask>;
  /** What the server itself takes, in KiB. */
  daemonMemory(): Memory;
  /** Where it tells the numbers of its tasks. */
  readonly metricsUrl: string;
  /** CPU time that the server and everything beside it have used, in milliseconds. */
  cpuMs(): { readonly daemon: number; readonly monitors: number };
  /** What everything beside it takes that it needs for its tasks. */
  monitorMemory(): Memory & { readonly processes: number };
}

/** An agent by the program that is at this path. */
export async function runletSide(program: string): Promise<Side> {
  const node = makeAgentNode(program);
  try {
    inMemory(node.state);
    const address = `127.0.0.1:${await freePort()}`;
    const agent = await node.start({ flags: ['--log-level', 'error', '--metrics-address', address] });
    return side({
      ...{ name: 'runlet', monitor: 'conmon', pid: agent.pid, node, client: clientOf(node.socket, node) },
      metricsUrl: `http://${address}/metrics`,
    });
  } catch (error) {
    await node.clean();
    throw error;
  }
}

/** A containerd with what a kubelet needs to find it and its tasks. */
export interface ContainerdSide extends Side {
  readonly socket: string;
  readonly node: TestNode;
}

/** This machine's containerd, its folders in a place of its own; with `cri` it serves kubelets too. */
export async function containerdSide({ cri = false }: { readonly cri?: boolean } = {}): Promise<ContainerdSide> {
  const node = makeTestNode();
  try {
    // Its state is in memory on a node, as ours is.
    inMemory(join(node.folder, 'containerd/state'));
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const containerd = await startContainerd(node, { metricsAddress, cri });
    const made = side({
      ...{ name: 'containerd', monitor: 'containerd-shim-runc-v2', pid: containerd.pid, node },
      client: clientOf(containerd.socket, node),
      options: { root: join(node.folder, 'containerd/state/runc') },
      metricsUrl: `http://${metricsAddress}/v1/metrics`,
      // where a kubelet whose root is the node's has the cgroups that it looks after
      ...(cri ? { cgroups: 'kubepods/bench' } : {}),
    });
    return {
      ...made,
      ...{ node, socket: containerd.socket },
      [Symbol.asyncDispose]: async () => {
        try {
          await containerd[Symbol.asyncDispose]();
        } finally {
          await made[Symbol.asyncDispose]();
        }
      },
    };
  } catch (error) {
    await node.clean();
    throw error;
  }
}

interface Parts {
  readonly name: Side['name'];
  readonly monitor: string;
  readonly pid: number;
  readonly node: TestNode;
  readonly client: ContainerdClient;
  readonly options?: Partial<Options>;
  readonly metricsUrl: string;
  readonly cgroups?: string;
}

function side({ name, monitor, pid, node, client, options, metricsUrl, cgroups = namespace }: Parts): Side {
  const container = async (id: string, args: readonly string[]) => {
    const namespaces = (['pid', 'mount', 'ipc', 'uts', 'network'] as const).map((type) => ({ type }));
    const linux: RuntimeSpec['linux'] = { namespaces, cgroupsPath: `${node.cgroupParent}/${cgroups}/${id}` };
    return await client.container(id, args, { linux });
  };
  const create = async (task: ClientTask) => await task.create(undefined, options);
  return {
    ...{ name, client, container, create, metricsUrl },
    make: async (id, args) => {
      const task = await container(id, args);
      await create(task);
      return task;
    },
    daemonMemory: () => memoryOf(pid),
    cpuMs: () => {
      const monitors = processesNamed(node.running(), monitor).map(cpuMsOf);
      return { daemon: cpuMsOf(pid), monitors: monitors.reduce((sum, each) => sum + each, 0) };
    },
    monitorMemory: () => {
      const monitors = processesNamed(node.running(), monitor);
      return { ...sumOf(monitors.map(memoryOf)), processes: monitors.length };
    },
    [Symbol.asyncDispose]: async () => {
      client.api[Symbol.dispose]();
      await node.clean();
    },
  };
}

function clientOf(socket: string, node: TestNode): ContainerdClient {
  return new ContainerdClient(leanClient(socket), node, namespace);
}

/** What does not outlive a reboot is in memory on a node; `clean` unmounts it. */
function inMemory(folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
}
