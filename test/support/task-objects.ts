import { readdirSync, readFileSync } from 'node:fs';
import type { ApiServer } from './api-server.ts';
import type { TestNode } from './node.ts';

const kinds = {
  nodetasks: 'NodeTask',
  nodetaskexecs: 'NodeTaskExec',
  nodetasksignals: 'NodeTaskSignal',
  nodetaskcheckpoints: 'NodeTaskCheckpoint',
} as const;

export type Plural = keyof typeof kinds;

/** Objects of ours on the node `test-node`, in a namespace whose level is privileged. */
export class TaskObjects {
  /** The API's path of the namespace's objects. */
  readonly path: string;
  readonly #server: ApiServer;

  private constructor(server: ApiServer, path: string) {
    this.#server = server;
    this.path = path;
  }

  /** Makes the namespace. */
  static async inNamespace(server: ApiServer, namespace: string): Promise<TaskObjects> {
    await server.kubectl(['create', 'namespace', namespace]);
    await server.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=privileged']);
    return new TaskObjects(server, `/apis/runlet.dev/v1alpha1/namespaces/${namespace}`);
  }

  /** Makes one. Throws what the server says unless it answers 201. */
  async create(plural: Plural, name: string, spec: object): Promise<void> {
    const { status, body } = await this.#server.request('POST', `${this.path}/${plural}`, {
      ...{ apiVersion: 'runlet.dev/v1alpha1', kind: kinds[plural], metadata: { name } },
      spec: { nodeName: 'test-node', ...spec },
    });
    if (status !== 201) throw new Error(`${plural}/${name}: ${status} ${JSON.stringify(body)}`);
  }

  async read(plural: Plural, name: string): Promise<unknown> {
    return (await this.#server.request('GET', `${this.path}/${plural}/${name}`)).body;
  }
}

/** Command lines of processes of a node's tasks. */
export function commandsOf({ cgroupParent }: TestNode): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const inTask = readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(cgroupParent);
        return inTask ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()] : [];
      } catch {
        return [];
      }
    });
}
