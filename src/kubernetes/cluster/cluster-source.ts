import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { ClientMetrics } from '../client/client-metrics.ts';
import { ListWatch } from '../client/list-watch.ts';
import type { KubeObject } from '../client/object.ts';
import { Store, storeKey } from '../client/store.ts';
import type { ConfigSource } from '../node-task/config-source.ts';
import {
  objectKey,
  type NodeTaskSource,
  type ObjectIdentity,
  type ObjectKey,
  type PodSecurityLevel,
  type SourceChange,
  type SourceObject,
} from '../reconcile/source.ts';
import { followingNotes } from './following-notes.ts';
import { fingerprint, interpret, type Entry } from './interpret.ts';
import type { NamespaceLevels } from './namespace-levels.ts';
import type { ObjectCache } from './object-cache.ts';
import { collectionPath, nodeTasks } from './resource.ts';

export interface ClusterSourceOptions {
  readonly client: KubernetesClient;
  readonly nodeName: string;
  readonly cache: ObjectCache;
  readonly levels: NamespaceLevels;
  readonly config: ConfigSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: ClientMetrics;
}

/** This node's NodeTasks as a cluster has them, or, until it has been heard, as they were kept on disk. */
export class ClusterSource implements NodeTaskSource {
  readonly config: ConfigSource;
  readonly #options: ClusterSourceOptions;
  readonly #entries = new Map<ObjectKey, Entry>();
  readonly #listeners = new Set<(change: SourceChange) => void>();
  readonly #store: Store;
  readonly #listWatch: ListWatch;
  #synced = false;

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
    this.config = options.config;
    const { client, nodeName, clock, log, metrics } = options;
    const accept = (object: KubeObject) => nodeNameOf(object) === nodeName;
    this.#store = new Store({
      accept,
      onChange: (key) => this.#look(key),
      onSynced: () => this.#finishFirstList(),
    });
    this.#listWatch = new ListWatch({
      client,
      name: nodeTasks.plural,
      selection: { path: collectionPath(nodeTasks), fieldSelector: `spec.nodeName=${nodeName}`, accept },
      listener: this.#store,
      clock,
      log,
      ...(metrics ? { metrics } : {}),
    });
  }

  /** Reads what was kept on disk. Before `run`. */
  async load(): Promise<void> {
    const { cache, nodeName, log } = this.#options;
    for (const { object, lastValid } of await cache.load()) {
      if (nodeNameOf(object) !== nodeName) continue;
      const previous = lastValid && interpret(lastValid, { nodeName, confirmed: false });
      this.#entries.set(storeKey(object), interpret(object, { nodeName, confirmed: false, previous }));
    }
    if (this.#entries.size > 0) log.info({ objects: this.#entries.size }, 'read NodeTasks that were kept on disk');
  }

  /** Follows the cluster until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#listWatch.run(signal);
  }

  /** Whether the API server answered last. */
  get connected(): boolean {
    return this.#listWatch.connected;
  }

  /** What an administrator should know of the way to the cluster, without names and addresses. */
  notes(): readonly string[] {
    return followingNotes(this.#listWatch);
  }

  get synced(): boolean {
    return this.#synced;
  }

  keys(): readonly ObjectKey[] {
    return [...this.#entries.keys()];
  }

  get(key: ObjectKey): SourceObject | undefined {
    return this.#entries.get(key)?.source;
  }

  /** The object of this name as the server has it, for whoever writes it. What was kept on disk is too old for that. */
  readonly rawOf = (object: Pick<ObjectIdentity, 'namespace' | 'name'>): KubeObject | undefined => {
    const entry = this.#entries.get(objectKey(object));
    return entry?.source.confirmed ? entry.object : undefined;
  };

  subscribe(listener: (change: SourceChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async podSecurityLevel(kubeNamespace: string): Promise<PodSecurityLevel> {
    return await this.#options.levels.levelOf(kubeNamespace);
  }

  async keep(key: ObjectKey): Promise<void> {
    await this.#options.cache.flush(key);
  }

  #look(key: ObjectKey): void {
    const { cache, nodeName } = this.#options;
    const object = this.#store.get(key);
    const previous = this.#entries.get(key);
    if (!object) {
      this.#forget(key);
      return;
    }
    const entry = interpret(object, { nodeName, confirmed: true, previous });
    this.#entries.set(key, entry);
    if (entry.source.letGo) cache.remove(key);
    else if (isNews(object, previous)) cache.put(key, kept(entry));
    this.#tell({ kind: 'object', key });
  }

  /** What was kept on disk and is not in the list went while this agent was away. */
  #finishFirstList(): void {
    for (const key of this.#entries.keys()) if (!this.#store.get(key)) this.#forget(key);
    this.#synced = true;
    this.#tell({ kind: 'synced' });
  }

  #forget(key: ObjectKey): void {
    if (!this.#entries.delete(key)) return;
    this.#options.cache.remove(key);
    this.#tell({ kind: 'object', key });
  }

  #tell(change: SourceChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function isNews(object: KubeObject, previous: Entry | undefined): boolean {
  return !previous || previous.source.letGo === true || fingerprint(previous.object) !== fingerprint(object);
}

function kept({ object, valid }: Entry) {
  const bare = withoutStatus(object);
  return valid && valid !== object ? { object: bare, lastValid: withoutStatus(valid) } : { object: bare };
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  return rest;
}

function nodeNameOf(object: KubeObject): unknown {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null && 'nodeName' in spec ? spec.nodeName : undefined;
}
