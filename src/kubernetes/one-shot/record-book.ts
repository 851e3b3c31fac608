import type { Records } from '#task/records.ts';

/** Records by UID, in memory and durably: disk first. */
export class RecordBook<T extends { readonly uid: string }> {
  readonly #records: Records<T>;
  readonly #known = new Map<string, T>();

  constructor(records: Records<T>) {
    this.#records = records;
  }

  /** Reads what a former agent wrote. Before anything else. */
  async load(): Promise<readonly T[]> {
    for (const record of await this.#records.load()) this.#known.set(record.uid, record);
    return this.all();
  }

  get(uid: string): T | undefined {
    return this.#known.get(uid);
  }

  all(): readonly T[] {
    return [...this.#known.values()];
  }

  /** Resolves when it is on the disk. Throws when the disk does not take it; then it is as before. */
  async put(record: T): Promise<T> {
    await this.#records.put(record.uid, record);
    this.#known.set(record.uid, record);
    return record;
  }

  /** The object is gone. */
  async forget(uid: string): Promise<void> {
    await this.#records.remove(uid);
    this.#known.delete(uid);
  }
}
