import { Mutex } from './mutex.ts';

/** A lock for each key: work on one key runs one after another, on different keys at once. Unused locks are forgotten. */
export class KeyLocks<K> {
  readonly #locks = new Map<K, { readonly mutex: Mutex; users: number }>();

  /** Runs `work` while holding the key's lock. Throws CancelledError when `signal` aborts before its turn. */
  async run<T>(key: K, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const lock = this.#locks.get(key) ?? { mutex: new Mutex(), users: 0 };
    this.#locks.set(key, lock);
    lock.users += 1;
    try {
      return await lock.mutex.run(work, signal);
    } finally {
      lock.users -= 1;
      if (lock.users === 0) this.#locks.delete(key);
    }
  }

  /** How many keys are being worked on. */
  get size(): number {
    return this.#locks.size;
  }
}
