import { AlreadyExistsError, FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import type { Namespace } from './ids.ts';
import type { Records } from './records.ts';

/** containerd's namespace with its labels. */
export interface NamespaceRecord {
  readonly name: Namespace;
  readonly labels: Readonly<Record<string, string>>;
}

/** Something has happened to a namespace; of an update the labels as they were asked for. */
export interface NamespaceEvent {
  readonly topic: '/namespaces/create' | '/namespaces/update' | '/namespaces/delete';
  readonly namespace: NamespaceRecord;
}

/** All namespaces that somebody made or that hold something. */
export class NamespaceStore {
  readonly #records: Records<NamespaceRecord>;
  readonly #inUse: () => ReadonlySet<Namespace>;
  readonly #onChange: (event: NamespaceEvent) => void;
  readonly #made = new Map<Namespace, NamespaceRecord>();

  constructor(options: {
    readonly records: Records<NamespaceRecord>;
    readonly inUse: () => ReadonlySet<Namespace>;
    readonly onChange: (event: NamespaceEvent) => void;
  }) {
    this.#records = options.records;
    this.#inUse = options.inUse;
    this.#onChange = options.onChange;
  }

  async load(): Promise<void> {
    for (const record of await this.#records.load()) this.#made.set(record.name, record);
  }

  list(): readonly NamespaceRecord[] {
    const names = new Set([...this.#made.keys(), ...this.#inUse()]);
    return [...names].toSorted().map((name) => this.#made.get(name) ?? { name, labels: {} });
  }

  /** A namespace that nobody made has no labels, as in containerd. */
  get(name: Namespace): NamespaceRecord {
    return this.#made.get(name) ?? { name, labels: {} };
  }

  /** Throws AlreadyExistsError. */
  async create(record: NamespaceRecord): Promise<void> {
    if (this.list().some(({ name }) => name === record.name)) {
      throw new AlreadyExistsError(`namespace "${record.name}": already exists`);
    }
    await this.#put(record);
    this.#onChange({ topic: '/namespaces/create', namespace: record });
  }

  /** Makes it where it is not there. `asked` are the labels that the change names. */
  async update(record: NamespaceRecord, asked: NamespaceRecord['labels']): Promise<void> {
    await this.#put(record);
    this.#onChange({ topic: '/namespaces/update', namespace: { name: record.name, labels: asked } });
  }

  /** Throws NotFoundError, and FailedPreconditionError while it holds containers. */
  async delete(name: Namespace): Promise<void> {
    if (!this.list().some((each) => each.name === name)) throw new NotFoundError(`namespace "${name}": not found`);
    if (this.#inUse().has(name)) {
      throw new FailedPreconditionError(
        `namespace "${name}" must be empty, but it still has containers: failed precondition`,
      );
    }
    this.#made.delete(name);
    await this.#records.remove(name);
    this.#onChange({ topic: '/namespaces/delete', namespace: { name, labels: {} } });
  }

  async #put(record: NamespaceRecord): Promise<void> {
    this.#made.set(record.name, record);
    await this.#records.put(record.name, record);
  }
}
