import { UnavailableError } from '#errors/errors.ts';
import { noConfigSource } from '#kubernetes/node-task/config-source.ts';
import type { NodeTask, NodeTaskStatus } from '#kubernetes/node-task/types.ts';
import { validateNodeTask } from '#kubernetes/node-task/validate.ts';
import { objectKey } from '#kubernetes/reconcile/source.ts';
import type {
  NodeTaskSink,
  NodeTaskSource,
  ObjectEvent,
  ObjectIdentity,
  ObjectKey,
  PodSecurityLevel,
  SourceChange,
  SourceObject,
} from '#kubernetes/reconcile/source.ts';

/** A valid NodeTask of these fields. */
export function nodeTask(
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
  annotations?: Readonly<Record<string, string>>,
): NodeTask {
  const { task, problems } = validateNodeTask(
    {
      apiVersion: 'runlet.dev/v1alpha1',
      kind: 'NodeTask',
      metadata: { name, ...(annotations ? { annotations } : {}) },
      spec: { nodeName: 'node-a', image: 'registry.test/app:1', ...spec },
    },
    { source: 'cluster', nodeName: 'node-a' },
  );
  if (!task) throw new Error(JSON.stringify(problems));
  return task;
}

/** An API server of one test: objects with UIDs, generations and finalizers, and what was said of them. */
export class FakeSource implements NodeTaskSource, NodeTaskSink {
  readonly config = noConfigSource;
  synced = true;
  confirmed = true;
  level: PodSecurityLevel = 'privileged';
  /** Whether it cannot be asked for anything. */
  away = false;
  /** What `keep` waits for. */
  keeping: Promise<void> = Promise.resolve();
  readonly statuses = new Map<string, NodeTaskStatus>();
  readonly events: string[] = [];
  /** UIDs that have the finalizer. */
  readonly claimed = new Set<string>();
  /** Status writes, in order: `name state ready/reason`. */
  readonly said: string[] = [];
  readonly urgent: string[] = [];
  #uid = 0;
  readonly #objects = new Map<ObjectKey, SourceObject>();
  readonly #listeners = new Set<(change: SourceChange) => void>();

  /** Makes the object or changes it, as `kubectl apply` does. */
  put(task: NodeTask): SourceObject {
    const key = objectKey(task.metadata);
    const before = this.#objects.get(key);
    const sameSpec = JSON.stringify(before?.task?.spec) === JSON.stringify(task.spec);
    if (!before) this.#uid += 1;
    const uid = before?.uid ?? `uid-${this.#uid}`;
    const generation = (before?.generation ?? 0) + (sameSpec ? 0 : 1);
    return this.set(key, {
      namespace: task.metadata.namespace,
      name: task.metadata.name,
      uid,
      generation,
      task: { ...task, metadata: { ...task.metadata, uid, generation } },
      problems: [],
      deleting: before?.deleting ?? false,
      ...(before?.letGo && !this.claimed.has(uid) ? { letGo: true } : {}),
      confirmed: this.confirmed,
    });
  }

  /** Sets an object as it is. */
  set(key: ObjectKey, object: SourceObject): SourceObject {
    this.#objects.set(key, object);
    this.#tell({ kind: 'object', key });
    return object;
  }

  /** As `kubectl delete`: it goes at once unless somebody holds it. */
  remove(key: ObjectKey): void {
    const object = this.#objects.get(key);
    if (!object) return;
    if (this.claimed.has(object.uid)) this.#objects.set(key, { ...object, deleting: true });
    else this.#objects.delete(key);
    this.#tell({ kind: 'object', key });
  }

  /** Somebody takes the finalizer off an object that stays. */
  letGo(key: ObjectKey): void {
    const object = this.#objects.get(key);
    if (!object || !this.claimed.delete(object.uid)) return;
    this.set(key, { ...object, letGo: true });
  }

  /** It vanishes without anybody's leave, as when a finalizer is taken off by hand. */
  vanish(key: ObjectKey): void {
    this.#objects.delete(key);
    this.#tell({ kind: 'object', key });
  }

  sync(): void {
    this.synced = true;
    this.#tell({ kind: 'synced' });
  }

  keys(): readonly ObjectKey[] {
    return [...this.#objects.keys()];
  }

  get(key: ObjectKey): SourceObject | undefined {
    return this.#objects.get(key);
  }

  subscribe(listener: (change: SourceChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  keep(): Promise<void> {
    return this.keeping;
  }

  podSecurityLevel(): Promise<PodSecurityLevel> {
    return Promise.resolve(this.level);
  }

  status(object: ObjectIdentity, status: NodeTaskStatus, { urgent }: { readonly urgent: boolean }): void {
    this.statuses.set(object.uid, status);
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    this.said.push(`${object.name} ${status.state} ${ready?.status}/${ready?.reason}`);
    if (urgent) this.urgent.push(`${object.name} ${status.state}`);
  }

  event({ name }: ObjectIdentity, { reason }: ObjectEvent): void {
    this.events.push(`${name} ${reason}`);
  }

  claim(object: ObjectIdentity): Promise<void> {
    if (this.away) return Promise.reject(new UnavailableError('the API server is away'));
    this.claimed.add(object.uid);
    return Promise.resolve();
  }

  release(object: ObjectIdentity): Promise<void> {
    this.claimed.delete(object.uid);
    const key = objectKey(object);
    if (this.#objects.get(key)?.uid === object.uid) this.vanish(key);
    return Promise.resolve();
  }

  delete(object: ObjectIdentity): Promise<void> {
    const key = objectKey(object);
    if (this.#objects.get(key)?.uid === object.uid) this.remove(key);
    return Promise.resolve();
  }

  #tell(change: SourceChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
