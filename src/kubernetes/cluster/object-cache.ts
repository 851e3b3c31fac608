import { errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { Records } from '#task/records.ts';
import type { KubeObject } from '../client/object.ts';

/** An object as it is kept for times without an API server. */
export interface CachedObject {
  /** The newest version, without its status. */
  readonly object: KubeObject;
  /** The newest version that was valid, when that is another one. */
  readonly lastValid?: KubeObject;
}

/** Objects on disk, one file each. Writing goes on behind the callers, the newest version of each object only. */
export class ObjectCache implements AsyncDisposable {
  readonly #records: Records<CachedObject>;
  readonly #log: Log;
  /** What is still to be written; undefined: removed. */
  readonly #pending = new Map<string, CachedObject | undefined>();
  readonly #inFlight = new Map<string, Promise<void>>();
  #writing: Promise<void> | undefined;

  constructor(options: { readonly records: Records<CachedObject>; readonly log: Log }) {
    this.#log = options.log;
    this.#records = options.records;
  }

  async load(): Promise<readonly CachedObject[]> {
    return await this.#records.load();
  }

  /** Keeps it from now on. */
  put(key: string, value: CachedObject): void {
    this.#pending.set(key, value);
    this.#writing ??= this.#writeAll();
  }

  /** It is gone. */
  remove(key: string): void {
    this.#pending.set(key, undefined);
    this.#writing ??= this.#writeAll();
  }

  /** Returns when what was put of this object is on disk, before all others. Throws what the disk says. */
  async flush(key: string): Promise<void> {
    while (this.#pending.has(key) || this.#inFlight.has(key)) {
      await (this.#inFlight.get(key) ?? this.#write(key));
    }
  }

  /** Returns when everything is on disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await Promise.allSettled(this.#inFlight.values());
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // whoever puts many at once has put all of them then
    const failed = new Set<string>();
    for (let key = this.#next(failed); key !== undefined; key = this.#next(failed)) {
      try {
        await this.flush(key);
      } catch (error) {
        failed.add(key); // it is tried again with the next object that is put
        this.#log.warn({ object: key, reason: errorMessage(error) }, 'cannot keep an object on disk');
      }
    }
    this.#writing = undefined;
  }

  #next(failed: ReadonlySet<string>): string | undefined {
    for (const key of this.#pending.keys()) if (!failed.has(key)) return key;
    return undefined;
  }

  #write(key: string): Promise<void> {
    const writing = this.#writeNewest(key).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, writing);
    return writing;
  }

  async #writeNewest(key: string): Promise<void> {
    const value = this.#pending.get(key);
    this.#pending.delete(key);
    try {
      await (value ? this.#records.put(key, value) : this.#records.remove(key));
    } catch (error) {
      if (!this.#pending.has(key)) this.#pending.set(key, value);
      throw error;
    }
  }
}
