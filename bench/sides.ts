import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '#api/gen/containerd/runc/v1/options.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { makeAgentNode } from '../test/support/agent.ts';
import { startContainerd } from '../test/support/containerd.ts';
import { ContainerdClient, type ClientTask } from '../test/support/containerd-client.ts';
import { makeTestNode, type TestNode } from '../test/support/node.ts';
import { leanClient } from './lean-client.ts';
import { memoryOf, processesNamed, sumOf, type Memory } from './program.ts';

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
  /** What everything beside it takes that it needs for its tasks. */
  monitorMemory(): Memory & { readonly processes: number };
}

/** An agent by the program that is at this path. */
export async function runletSide(program: string): Promise<Side> {
  const node = makeAgentNode(program);
  try {
    inMemory(node.state);
    const agent = await node.start({ flags: ['--log-level', 'error'] });
    return side({ name: 'runlet', monitor: 'conmon', pid: agent.pid, node, client: clientOf(node.socket, node) });
  } catch (error) {
    await node.clean();
    throw error;
  }
}

/** This machine's containerd, its folders in a place of its own. */
export async function containerdSide(): Promise<Side> {
  const node = makeTestNode();
  try {
    // Its state is in memory on a node, as ours is.
    inMemory(join(node.folder, 'containerd/state'));
    const containerd = await startContainerd(node);
    const made = side({
      ...{ name: 'containerd', monitor: 'containerd-shim-runc-v2', pid: containerd.pid, node },
      client: clientOf(containerd.socket, node),
      options: { root: join(node.folder, 'containerd/state/runc') },
    });
    return {
      ...made,
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
}

function side({ name, monitor, pid, node, client, options }: Parts): Side {
  const container = async (id: string, args: readonly string[]) => {
    const namespaces = (['pid', 'mount', 'ipc', 'uts', 'network'] as const).map((type) => ({ type }));
    const linux: RuntimeSpec['linux'] = { namespaces, cgroupsPath: `${node.cgroupParent}/${namespace}/${id}` };
    return await client.container(id, args, { linux });
  };
  const create = async (task: ClientTask) => await task.create(undefined, options);
  return {
    ...{ name, client, container, create },
    make: async (id, args) => {
      const task = await container(id, args);
      await create(task);
      return task;
    },
    daemonMemory: () => memoryOf(pid),
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
