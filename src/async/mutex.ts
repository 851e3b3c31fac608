import { Slots } from './slots.ts';

/** A fair lock: holders run one at a time, in the order in which they asked. */
export class Mutex {
  readonly #slot = new Slots(1, 'a lock');

  /** Whether somebody holds it now. */
  get held(): boolean {
    return this.#slot.free === 0;
  }

  /** Waits for the turn. Dispose of what is returned to give it back. Throws CancelledError when `signal` aborts first. */
  acquire(signal?: AbortSignal): Promise<Disposable> {
    return this.#slot.acquire(signal);
  }

  /** Runs `work` while holding the lock. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#slot.run(work, signal);
  }
}
