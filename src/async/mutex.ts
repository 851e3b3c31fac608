import { CancelledError } from '#errors/errors.ts';

/** A fair lock: holders run one at a time, in the order in which they asked. */
export class Mutex {
  #held = false;
  readonly #queue: (() => void)[] = [];

  /** Whether somebody holds it now. */
  get held(): boolean {
    return this.#held;
  }

  /** Waits for the turn. Dispose of what is returned to give it back. Throws CancelledError when `signal` aborts first. */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) throw cancelled(signal);
    if (this.#held) await this.#turn(signal);
    this.#held = true;
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        const next = this.#queue.shift();
        if (next) next();
        else this.#held = false;
      },
    };
  }

  /** Runs `work` while holding the lock. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    using _lock = await this.acquire(signal);
    return await work();
  }

  #turn(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const at = this.#queue.indexOf(go);
        if (at < 0) return;
        this.#queue.splice(at, 1);
        reject(cancelled(signal));
      };
      this.#queue.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

function cancelled(signal: AbortSignal | undefined): CancelledError {
  return new CancelledError('gave up waiting for a lock', { cause: signal?.reason });
}
