import type { Log } from '#log/log.ts';
import type { Records } from '#task/records.ts';
import type { ObjectRecord } from './record.ts';
import { objectKey, type ObjectKey } from './source.ts';

/**
 * The records of all objects, in memory, and behind it on the disk: what is put is there at once for the agent and on the disk
 * soon, in order; `flush` waits for it. A write that fails is tried again with the next one, and whoever flushes hears of it.
 */
export class RecordStore implements AsyncDisposable {
  readonly #records: Records<ObjectRecord>;
  readonly #log: Log;
  readonly #byUid = new Map<string, ObjectRecord>();
  /** What the disk has. */
  readonly #written = new Map<string, ObjectRecord>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(records: Records<ObjectRecord>, log: Log) {
    this.#records = records;
    this.#log = log;
  }

  /** Reads what a former agent kept. Once. */
  async load(): Promise<void> {
    for (const record of await this.#records.load()) {
      this.#byUid.set(record.uid, record);
      this.#written.set(record.uid, record);
    }
  }

  get(uid: string): ObjectRecord | undefined {
    return this.#byUid.get(uid);
  }

  all(): readonly ObjectRecord[] {
    return [...this.#byUid.values()];
  }

  /** All objects of that name, gone ones too. */
  ofKey(key: ObjectKey): readonly ObjectRecord[] {
    return this.all().filter((record) => objectKey(record) === key);
  }

  put(record: ObjectRecord): void {
    this.#byUid.set(record.uid, record);
    void this.flush(record.uid).catch((error: unknown) =>
      this.#log.error({ uid: record.uid, err: error }, 'cannot keep what is known of an object'),
    );
  }

  /** Returns when the disk has what was put or forgotten before. Throws what the disk says. */
  async flush(uid: string): Promise<void> {
    for (;;) {
      const there = this.#writing.get(uid);
      if (there) await there;
      else if (this.#byUid.get(uid) === this.#written.get(uid)) return;
      else await this.#begin(uid);
    }
  }

  /** Forgets an object for good. */
  async forget(uid: string): Promise<void> {
    this.#byUid.delete(uid);
    await this.flush(uid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const uids = new Set([...this.#byUid.keys(), ...this.#written.keys()]);
    await Promise.allSettled([...uids].map((uid) => this.flush(uid)));
  }

  #begin(uid: string): Promise<void> {
    const writing = this.#write(uid).finally(() => this.#writing.delete(uid));
    this.#writing.set(uid, writing);
    return writing;
  }

  async #write(uid: string): Promise<void> {
    const record = this.#byUid.get(uid);
    const key = encodeURIComponent(uid);
    if (record) {
      await this.#records.put(key, record);
      this.#written.set(uid, record);
    } else {
      await this.#records.remove(key);
      this.#written.delete(uid);
    }
  }
}
