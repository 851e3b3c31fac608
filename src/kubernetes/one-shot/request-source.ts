import type { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { ClientMetrics } from '../client/client-metrics.ts';
import { ListWatch } from '../client/list-watch.ts';
import type { KubeObject } from '../client/object.ts';
import { Store } from '../client/store.ts';
import { collectionPath, type Resource } from '../cluster/resource.ts';
import { objectKey, parseObjectKey, type ObjectIdentity, type ObjectKey } from '../reconcile/source.ts';
import { readRequest, type OneShotRequest } from './request.ts';
import { oneShotKinds, type OneShotKind } from './schema.ts';

/** The kinds in URLs. */
export const oneShotResources: Readonly<Record<OneShotKind, Resource>> = {
  NodeTaskExec: { kind: 'NodeTaskExec', plural: 'nodetaskexecs' },
  NodeTaskSignal: { kind: 'NodeTaskSignal', plural: 'nodetasksignals' },
  NodeTaskCheckpoint: { kind: 'NodeTaskCheckpoint', plural: 'nodetaskcheckpoints' },
};

export interface RequestSourceOptions {
  readonly client: KubernetesClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: ClientMetrics;
  /** A request of this key has come, changed or gone, or everything of its kind has been read once. */
  readonly onChange: (key: string) => void;
  readonly onSynced: (kind: OneShotKind) => void;
}

/** This node's requests as the cluster has them. Nothing is kept on disk: what the cluster does not ask for is not done. */
export class RequestSource {
  readonly #stores: ReadonlyMap<OneShotKind, Store>;
  readonly #watches: readonly ListWatch[];

  constructor(options: RequestSourceOptions) {
    const { client, nodeName, clock, log, metrics } = options;
    const accept = (object: KubeObject) => nodeNameOf(object) === nodeName;
    this.#stores = new Map(
      oneShotKinds.map((kind) => [
        kind,
        new Store({
          accept,
          onChange: (key) => options.onChange(requestKey(kind, key)),
          onSynced: () => options.onSynced(kind),
        }),
      ]),
    );
    this.#watches = [...this.#stores].map(([kind, listener]) => {
      const resource = oneShotResources[kind];
      const selection = { path: collectionPath(resource), fieldSelector: `spec.nodeName=${nodeName}`, accept };
      const how = { client, name: resource.plural, selection, listener, clock, log };
      return new ListWatch(metrics ? { ...how, metrics } : how);
    });
  }

  /** Follows the cluster until the signal aborts, as work of the group. */
  run(signal: AbortSignal, group: TaskGroup): void {
    for (const watch of this.#watches) group.spawn(() => watch.run(signal));
  }

  synced(kind: OneShotKind): boolean {
    return this.#stores.get(kind)?.synced ?? false;
  }

  raw(kind: OneShotKind, object: Pick<ObjectIdentity, 'namespace' | 'name'>): KubeObject | undefined {
    return this.#stores.get(kind)?.get(objectKey(object));
  }

  get(kind: OneShotKind, object: Pick<ObjectIdentity, 'namespace' | 'name'>): OneShotRequest | undefined {
    const found = this.raw(kind, object);
    return found && readRequest(kind, found);
  }
}

/** The key of a request in queues: its kind and its object's key. */
export function requestKey(kind: OneShotKind, key: ObjectKey): string {
  return `${kind} ${key}`;
}

/** Reads it back. */
export function parseRequestKey(
  text: string,
): { readonly kind: OneShotKind } & Pick<ObjectIdentity, 'namespace' | 'name'> {
  const at = text.indexOf(' ');
  const name = text.slice(0, at);
  const kind = oneShotKinds.find((one) => one === name);
  if (!kind) throw new TypeError(`no key of a request: ${text}`);
  return { kind, ...parseObjectKey(text.slice(at + 1)) };
}

function nodeNameOf(object: KubeObject): unknown {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null && 'nodeName' in spec ? spec.nodeName : undefined;
}
