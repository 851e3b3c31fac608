import type { Clock } from '#async/clock.ts';
import { AlreadyExistsError, NotFoundError } from '#errors/errors.ts';
import { parseTaskId, refKey, type Namespace, type TaskRef } from './ids.ts';
import type { Mount } from './runtime.ts';
import type { Records } from './records.ts';

/** A value of any type with the name of its type, as protobuf's Any. */
export interface TypedValue {
  readonly typeUrl: string;
  /** Base64: records are JSON. */
  readonly value: string;
}

/** What runlet's own makers note of a container, to run it again. Containers made over containerd's API have none. */
export interface Recipe {
  /** The spec of the NodeTask it was made from, as validated. */
  readonly spec: unknown;
  /** Where the image's relative path begins. */
  readonly baseDir: string;
  /** Digest of the image that is unpacked, so that it is not removed; absent with a plain root file system. */
  readonly imageDigest?: string;
  readonly rootfs: readonly Mount[];
  /** How often it was started anew: the name of its log. */
  readonly attempt: number;
  readonly stdinOnce: boolean;
  /** `user[:group]` that its maker named, by name or number. */
  readonly user?: string;
  /** Number of the signal that stops it: the spec's own, else the image's, else TERM. */
  readonly stopSignal: number;
}

/** containerd's container: what a task is made from. It outlives its tasks and reboots. */
export interface Container extends TaskRef {
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** JSON of an OCI runtime specification. */
  readonly spec: TypedValue;
  readonly runtime: { readonly name: string; readonly options?: TypedValue };
  readonly snapshotter: string;
  readonly snapshotKey: string;
  readonly extensions: Readonly<Record<string, TypedValue>>;
  readonly sandbox: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly recipe?: Recipe;
}

/** The type of a container's specification. */
export const specTypeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';

/** Something has happened to a container. */
export type ContainerEvent = {
  readonly topic: '/containers/create' | '/containers/update' | '/containers/delete';
  readonly container: Container;
};

/** All container records of the node, in memory and durably. */
export class ContainerStore {
  readonly #records: Records<Container>;
  readonly #clock: Clock;
  readonly #containers = new Map<string, Container>();
  readonly #onChange: (event: ContainerEvent) => void;

  constructor(options: {
    readonly records: Records<Container>;
    readonly clock: Clock;
    readonly onChange: (event: ContainerEvent) => void;
  }) {
    this.#records = options.records;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
  }

  /** Reads what a former agent kept; once, before anything else. */
  async load(): Promise<void> {
    for (const container of await this.#records.load()) this.#containers.set(refKey(container), container);
  }

  /** Throws NotFoundError with containerd's text. */
  get(ref: TaskRef): Container {
    const container = this.find(ref);
    if (!container) throw new NotFoundError(`container "${ref.id}" in namespace "${ref.namespace}": not found`);
    return container;
  }

  find(ref: TaskRef): Container | undefined {
    return this.#containers.get(refKey(ref));
  }

  /** By namespace and id in the order of their ids. */
  list(namespace?: Namespace): readonly Container[] {
    return [...this.#containers.values()]
      .filter((container) => namespace === undefined || container.namespace === namespace)
      .toSorted((a, b) => refKey(a).localeCompare(refKey(b)));
  }

  /** Throws AlreadyExistsError. */
  async create(container: Omit<Container, 'createdAtMs' | 'updatedAtMs'>): Promise<Container> {
    if (this.find(container)) throw new AlreadyExistsError(`container "${container.id}": already exists`);
    const now = this.#clock.nowMs();
    const made = { ...container, createdAtMs: now, updatedAtMs: now };
    await this.#put(made);
    this.#onChange({ topic: '/containers/create', container: made });
    return made;
  }

  /** Replaces a record. Throws NotFoundError. */
  async update(container: Container): Promise<Container> {
    if (!this.find(container)) throw new NotFoundError(`container "${container.id}": not found`);
    const changed = { ...container, updatedAtMs: this.#clock.nowMs() };
    await this.#put(changed);
    this.#onChange({ topic: '/containers/update', container: changed });
    return changed;
  }

  /** Throws NotFoundError. */
  async delete(ref: TaskRef): Promise<void> {
    const container = this.find(ref);
    if (!container) throw new NotFoundError(`container ${ref.id}: not found`);
    this.#containers.delete(refKey(ref));
    await this.#records.remove(refKey(ref));
    this.#onChange({ topic: '/containers/delete', container });
  }

  async #put(container: Container): Promise<void> {
    parseTaskId(container.id);
    this.#containers.set(refKey(container), container);
    await this.#records.put(refKey(container), container);
  }
}
