import type { Clock } from '#async/clock.ts';
import { AlreadyExistsError, NotFoundError } from '#errors/errors.ts';
import type { Namespace } from './ids.ts';
import type { Records } from './records.ts';

/** What a client holds on to while it makes something; there is no other collection of garbage that it would hold up. */
export interface Lease {
  readonly namespace: Namespace;
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly resources: readonly LeasedResource[];
}

export interface LeasedResource {
  readonly id: string;
  readonly type: string;
}

/** The label that says when a lease ends by itself, RFC 3339. */
export const expiryLabel = 'containerd.io/gc.expire';

/**
 * The leases of every namespace. They outlive the agent; one whose time has come is gone for every reader at once and its
 * record goes with the next change, so that no timer has to wake the agent.
 */
export class LeaseStore {
  readonly #records: Records<Lease>;
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();

  constructor(options: { readonly records: Records<Lease>; readonly clock: Clock }) {
    this.#records = options.records;
    this.#clock = options.clock;
  }

  /** Reads what a former agent kept; once, before anything else. */
  async load(): Promise<void> {
    for (const lease of await this.#records.load()) this.#leases.set(leaseKey(lease), lease);
    await this.#sweep();
  }

  /** Those of a namespace that still hold, by id. */
  list(namespace: Namespace): readonly Lease[] {
    return [...this.#leases.values()]
      .filter((lease) => lease.namespace === namespace && !this.#isOver(lease))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Throws NotFoundError with containerd's text. */
  get(namespace: Namespace, id: string): Lease {
    const lease = this.#leases.get(leaseKey({ namespace, id }));
    if (!lease || this.#isOver(lease)) throw new NotFoundError(`lease "${id}": not found`);
    return lease;
  }

  /** Throws AlreadyExistsError. */
  async create(lease: Omit<Lease, 'createdAtMs' | 'resources'>): Promise<Lease> {
    await this.#sweep();
    if (this.#leases.has(leaseKey(lease))) throw new AlreadyExistsError(`lease "${lease.id}": already exists`);
    return await this.#put({ ...lease, createdAtMs: this.#clock.nowMs(), resources: [] });
  }

  /** Throws NotFoundError. */
  async delete(namespace: Namespace, id: string): Promise<void> {
    await this.#remove(this.get(namespace, id));
  }

  /** Adding what is there already is success. Throws NotFoundError. */
  async addResource(namespace: Namespace, id: string, resource: LeasedResource): Promise<void> {
    const lease = this.get(namespace, id);
    if (lease.resources.some((each) => isSame(each, resource))) return;
    await this.#put({ ...lease, resources: [...lease.resources, resource] });
  }

  /** Removing what is not there is success. Throws NotFoundError. */
  async deleteResource(namespace: Namespace, id: string, resource: LeasedResource): Promise<void> {
    const lease = this.get(namespace, id);
    const resources = lease.resources.filter((each) => !isSame(each, resource));
    if (resources.length < lease.resources.length) await this.#put({ ...lease, resources });
  }

  async #put(lease: Lease): Promise<Lease> {
    await this.#records.put(leaseKey(lease), lease);
    this.#leases.set(leaseKey(lease), lease);
    return lease;
  }

  async #remove(lease: Lease): Promise<void> {
    this.#leases.delete(leaseKey(lease));
    await this.#records.remove(leaseKey(lease));
  }

  #isOver({ labels }: Lease): boolean {
    const end = Date.parse(labels[expiryLabel] ?? '');
    return !Number.isNaN(end) && end <= this.#clock.nowMs();
  }

  async #sweep(): Promise<void> {
    for (const lease of [...this.#leases.values()]) if (this.#isOver(lease)) await this.#remove(lease);
  }
}

/** Ids of leases follow no rule, so they are written in hexadecimal where they name a file. */
function leaseKey({ namespace, id }: Pick<Lease, 'namespace' | 'id'>): string {
  return `${namespace}/${Buffer.from(id).toString('hex')}`;
}

function isSame(a: LeasedResource, b: LeasedResource): boolean {
  return a.id === b.id && a.type === b.type;
}
