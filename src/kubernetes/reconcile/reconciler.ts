import { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import { Slots } from '#async/slots.ts';
import { errorMessage } from '#errors/errors.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { TaskEvent } from '#task/events.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { Records } from '#task/records.ts';
import { apiVersion } from '../node-task/fields.ts';
import type { NodeTaskStatus } from '../node-task/types.ts';
import { Controller, type Worked } from './controller.ts';
import type { ReconcilerContext, ReconcilerParts } from './context.ts';
import { toTaskRef } from './names.ts';
import { ObjectMemories } from './object-memory.ts';
import { ObjectWorker } from './object-worker.ts';
import { readOwner } from './owner.ts';
import type { ObjectRecord } from './record.ts';
import { RecordStore } from './record-store.ts';
import { objectKey, parseObjectKey, type ObjectKey, type SourceObject } from './source.ts';
import { WallClock } from './wall-clock.ts';
import { WorkQueue, type QueueMetrics } from './work-queue.ts';

/** How long what the machine can do is believed: processors may be added. */
const machineKeptMs = 60_000;

export interface ReconcilerOptions extends ReconcilerParts {
  /** Kept under `--root`, by UID. */
  readonly records: Records<ObjectRecord>;
  /** How many objects are worked on at once. */
  readonly workers: number;
  /** How many tasks are made at once. */
  readonly makings: number;
  readonly metrics?: QueueMetrics;
}

/** An object that has no task now. */
export interface WithoutTask {
  readonly ref: TaskRef;
  /** In a word, for people. */
  readonly status: string;
  readonly image: string;
}

/** Makes the tasks of the node what the objects of a source ask for, and keeps them so. */
export class Reconciler implements AsyncDisposable {
  readonly #context: ReconcilerContext;
  readonly #worker: ObjectWorker;
  readonly #queue: WorkQueue;
  readonly #controller: Controller;
  readonly #background: TaskGroup;
  readonly #subscriptions = new DisposableStack();
  /** `namespace/id` on the node → the object's key. */
  readonly #keys = new Map<string, ObjectKey>();

  constructor(options: ReconcilerOptions) {
    const { clock, log, metrics, workers } = options;
    const records = new RecordStore(options.records, log);
    const memories = new ObjectMemories();
    this.#queue = new WorkQueue({ clock, ...(metrics ? { metrics } : {}) });
    this.#background = new TaskGroup((error) => log.error({ err: error }, 'making a task in the background failed'));
    this.#context = {
      ...options,
      machine: readNowAndThen(options.machine, clock),
      records,
      memories,
      wallClock: new WallClock({ clock, records, memories, log }),
      turns: new Slots(options.makings),
      warned: new Set(),
      look: (key) => this.#look(key),
    };
    this.#worker = new ObjectWorker(this.#context, this.#background);
    this.#controller = new Controller({
      queue: this.#queue,
      log,
      workers,
      work: (key, signal) => this.#work(key, signal),
    });
  }

  /** Reads what a former agent kept and begins. Once, after the tasks of the node have been recovered. */
  async start(): Promise<void> {
    const { source, tasks, records, wallClock } = this.#context;
    await records.load();
    wallClock.heal();
    this.#subscriptions.use(tasks.events.subscribe((event) => this.#hear(event)));
    this.#subscriptions.use(
      source.subscribe((change) => (change.kind === 'object' ? this.#look(change.key) : this.#lookAtAll())),
    );
    this.#lookAtAll();
    this.#controller.start();
  }

  /** The object of a task as people read it, with the newest status; undefined for a task that has none. */
  describe(ref: TaskRef): unknown {
    const object = this.#objectOf(ref);
    return object && describeObject(object, this.#statusOf(object));
  }

  /** Objects that have no task: waiting, pulling, backing off, stopped. */
  withoutTask(): readonly WithoutTask[] {
    const { source, tasks } = this.#context;
    return source.keys().flatMap((key) => {
      const object = source.get(key);
      const ref = object && refOf(object);
      if (!object || !ref || tasks.find(ref)) return [];
      const status = this.#statusOf(object);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      // What was said of a task that has just gone is said anew soon.
      const waits = ready?.status === 'False' ? ready.reason : 'Pending';
      const state = status?.state === 'Stopped' ? 'stopped' : waits.toLowerCase();
      return [{ ref, status: state, image: object.task?.spec.image ?? object.task?.spec.rootfs?.path ?? '' }];
    });
  }

  /** How often the task of an object was started anew; undefined for a task that has no object. */
  restarts(ref: TaskRef): number | undefined {
    const object = this.#objectOf(ref);
    const record = object && this.#context.records.get(object.uid);
    return record && Math.max(0, record.starts - 1);
  }

  /** Ends all work; tasks run on. What is being made is undone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriptions.dispose();
    for (const { job } of this.#context.memories.all()) job?.cancel('the agent is stopping');
    await this.#controller[Symbol.asyncDispose]();
    await this.#background[Symbol.asyncDispose]();
    await this.#context.records[Symbol.asyncDispose]();
  }

  async #work(key: ObjectKey, signal: AbortSignal): Promise<Worked> {
    const { source, records } = this.#context;
    const worked = await this.#worker.work(key, signal);
    // Names come and go: what is gone for good takes no memory.
    if (source.synced && !source.get(key) && records.ofKey(key).length === 0) {
      this.#keys.delete(refKey(toTaskRef(parseObjectKey(key))));
    }
    return worked;
  }

  #look(key: ObjectKey): void {
    try {
      this.#keys.set(refKey(toTaskRef(parseObjectKey(key))), key);
      this.#queue.add(key);
    } catch (error) {
      const object = this.#context.source.get(key);
      if (object) this.#worker.refuse(object, { path: 'metadata.name', rule: errorMessage(error) });
    }
  }

  /** Objects, what is remembered of objects, and tasks that were made for objects: also those that are gone. */
  #lookAtAll(): void {
    const { source, records, tasks } = this.#context;
    const owners = tasks.list().flatMap((task) => readOwner(task) ?? []);
    const keys = new Set([...source.keys(), ...[...records.all(), ...owners].map(objectKey)]);
    for (const key of keys) this.#look(key);
  }

  #hear(event: TaskEvent): void {
    const ref = { namespace: event.namespace, id: event.containerId };
    const task = this.#context.tasks.find(ref);
    const owner = task && readOwner(task);
    // A task that is deleted at once takes its end with it.
    if (owner && task.exit) {
      this.#context.memories.of(owner.uid).seenExit = { attempt: owner.attempt, exit: task.exit };
    }
    const key = owner ? objectKey(owner) : this.#keys.get(refKey(ref));
    if (key !== undefined) this.#look(key);
  }

  #objectOf(ref: TaskRef): SourceObject | undefined {
    const key = this.#keys.get(refKey(ref));
    return key === undefined ? undefined : this.#context.source.get(key);
  }

  #statusOf({ uid }: SourceObject): NodeTaskStatus | undefined {
    return this.#context.memories.of(uid).status ?? this.#context.records.get(uid)?.status;
  }
}

/** What a machine can do hardly ever changes, and reading it takes a millisecond or two. */
function readNowAndThen(read: () => MachineLimits, clock: Clock): () => MachineLimits {
  let last: { readonly limits: MachineLimits; readonly atMs: number } | undefined;
  return () => {
    const nowMs = clock.monotonicMs();
    if (!last || nowMs - last.atMs >= machineKeptMs) last = { limits: read(), atMs: nowMs };
    return last.limits;
  };
}

function describeObject(object: SourceObject, status: NodeTaskStatus | undefined): unknown {
  const { task, uid, namespace, name } = object;
  return {
    apiVersion,
    kind: 'NodeTask',
    metadata: { ...task?.metadata, namespace, name, uid, generation: object.generation },
    ...(task ? { spec: task.spec } : {}),
    ...(status ? { status } : {}),
  };
}

function refOf(object: SourceObject): TaskRef | undefined {
  try {
    return toTaskRef(object);
  } catch {
    return undefined; // a name that no task can have
  }
}
