import { join } from 'node:path';
import { errorMessage } from '#errors/errors.ts';
import { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';
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
  readonly #records: JsonRecords<CachedObject>;
  readonly #log: Log;
  readonly #pending = new Map<string, CachedObject | undefined>();
  #writing: Promise<void> | undefined;

  constructor(options: { readonly folder: string; readonly log: Log }) {
    this.#log = options.log;
    this.#records = new JsonRecords(join(options.folder), (error) =>
      options.log.warn({ err: error }, 'left out an object that was kept on disk and cannot be read'),
    );
  }

  async load(): Promise<readonly CachedObject[]> {
    return await this.#records.load();
  }

  /** Keeps it from now on. */
  put(key: string, value: CachedObject): void {
    this.#pending.set(key, value);
    this.#writing ??= this.#write();
  }

  /** It is gone. */
  remove(key: string): void {
    this.#pending.set(key, undefined);
    this.#writing ??= this.#write();
  }

  /** Returns when everything is on disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let next = this.#pending.entries().next(); !next.done; next = this.#pending.entries().next()) {
      const [key, value] = next.value;
      this.#pending.delete(key);
      try {
        await (value ? this.#records.put(key, value) : this.#records.remove(key));
      } catch (error) {
        this.#log.warn({ object: key, reason: errorMessage(error) }, 'cannot keep an object on disk');
      }
    }
    this.#writing = undefined;
  }
}
