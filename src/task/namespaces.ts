import { AlreadyExistsError, FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import type { Namespace } from './ids.ts';
import type { Records } from './records.ts';

/** containerd's namespace with its labels. */
export interface NamespaceRecord {
  readonly name: Namespace;
  readonly labels: Readonly<Record<string, string>>;
}

/** All namespaces that somebody made or that hold something. */
export class NamespaceStore {
  readonly #records: Records<NamespaceRecord>;
  readonly #inUse: () => ReadonlySet<Namespace>;
  readonly #made = new Map<Namespace, NamespaceRecord>();

  constructor(options: { readonly records: Records<NamespaceRecord>; readonly inUse: () => ReadonlySet<Namespace> }) {
    this.#records = options.records;
    this.#inUse = options.inUse;
  }

  async load(): Promise<void> {
    for (const record of await this.#records.load()) this.#made.set(record.name, record);
  }

  list(): readonly NamespaceRecord[] {
    const names = new Set([...this.#made.keys(), ...this.#inUse()]);
    return [...names].toSorted().map((name) => this.#made.get(name) ?? { name, labels: {} });
  }

  /** Throws NotFoundError. */
  get(name: Namespace): NamespaceRecord {
    const record = this.list().find((each) => each.name === name);
    if (!record) throw new NotFoundError(`namespace "${name}": not found`);
    return record;
  }

  /** Throws AlreadyExistsError. */
  async create(record: NamespaceRecord): Promise<void> {
    if (this.list().some(({ name }) => name === record.name)) {
      throw new AlreadyExistsError(`namespace "${record.name}": already exists`);
    }
    await this.#put(record);
  }

  /** Throws NotFoundError. */
  async update(record: NamespaceRecord): Promise<void> {
    this.get(record.name);
    await this.#put(record);
  }

  /** Throws NotFoundError, and FailedPreconditionError while it holds containers. */
  async delete(name: Namespace): Promise<void> {
    this.get(name);
    if (this.#inUse().has(name)) {
      throw new FailedPreconditionError(
        `namespace "${name}" must be empty, but it still has containers: failed precondition`,
      );
    }
    this.#made.delete(name);
    await this.#records.remove(name);
  }

  async #put(record: NamespaceRecord): Promise<void> {
    this.#made.set(record.name, record);
    await this.#records.put(record.name, record);
  }
}
