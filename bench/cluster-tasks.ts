import { once } from 'node:events';
import { systemClock } from '#async/clock.ts';
import { readKubeconfig } from '#kubernetes/client/kubeconfig.ts';
import { KubernetesClient } from '#kubernetes/client/client.ts';
import { ListWatch } from '#kubernetes/client/list-watch.ts';
import type { KubeObject } from '#kubernetes/client/object.ts';
import { Transport } from '#kubernetes/client/transport.ts';
import { collectionPath, nodeTasks } from '#kubernetes/cluster/resource.ts';
import type { NodeTaskStatus } from '#kubernetes/node-task/types.ts';
import { silentLog } from '#log/log.ts';
import { admin, type Answer, type ApiServer } from '../test/support/api-server.ts';

const namespace = 'bench';
const path = `/apis/runlet.dev/v1alpha1/namespaces/${namespace}/nodetasks`;
const patienceMs = 120_000;

/** What a watch last saw of an object; undefined when it is gone. */
export type Seen = { readonly generation: number; readonly status: Partial<NodeTaskStatus> } | undefined;

/** NodeTasks of a real API server as somebody makes, changes and watches them. */
export class ClusterTasks implements AsyncDisposable {
  readonly #server: ApiServer;
  readonly #transport: Transport;
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, Seen>();
  readonly #changed = new EventTarget();
  readonly #watching: Promise<void>;

  private constructor(server: ApiServer, transport: Transport) {
    this.#server = server;
    this.#transport = transport;
    const see = (object: KubeObject) => this.#see(object.metadata.name, seenOf(object));
    this.#watching = new ListWatch({
      client: new KubernetesClient({ transport, clock: systemClock }),
      name: 'nodetasks',
      selection: { path: collectionPath(nodeTasks) },
      listener: {
        replaced: (objects) => objects.forEach(see),
        changed: see,
        deleted: ({ metadata }) => this.#see(metadata.name, undefined),
      },
      clock: systemClock,
      log: silentLog(),
    }).run(this.#stop.signal);
  }

  /** Makes the namespace and begins to watch. */
  static async open(server: ApiServer): Promise<ClusterTasks> {
    const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    accepted(await server.request('POST', '/api/v1/namespaces', { metadata: { name: namespace, labels } }));
    const access = await readKubeconfig(server.kubeconfig(admin));
    return new ClusterTasks(server, new Transport({ access, clock: systemClock }));
  }

  async create(name: string, spec: object): Promise<void> {
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name, namespace }, spec };
    accepted(await this.#server.request('POST', path, object));
  }

  async patch(name: string, spec: object): Promise<void> {
    accepted(await this.#server.request('PATCH', `${path}/${name}`, { spec }, 'application/merge-patch+json'));
  }

  async delete(name: string): Promise<void> {
    accepted(await this.#server.request('DELETE', `${path}/${name}`));
  }

  /** Waits until the watch sees what is good; throws after two minutes with what it saw last. */
  async until(name: string, good: (seen: Seen) => boolean): Promise<void> {
    const signal = AbortSignal.timeout(patienceMs);
    try {
      while (!good(this.#seen.get(name))) await once(this.#changed, name, { signal });
    } catch (error) {
      throw new Error(`waited in vain for ${name}: ${JSON.stringify(this.#seen.get(name))}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#transport[Symbol.asyncDispose]();
  }

  #see(name: string, seen: Seen): void {
    this.#seen.set(name, seen);
    this.#changed.dispatchEvent(new Event(name));
  }
}

function seenOf(object: KubeObject): Seen {
  const { status = {} } = object as { readonly status?: Partial<NodeTaskStatus> };
  return { generation: object.metadata.generation ?? 0, status };
}

function accepted({ status, body }: Answer): void {
  if (status >= 300) throw new Error(`the API server answered ${status}: ${String(body['message'])}`);
}
