import { CancelledError } from '#errors/errors.ts';

/** Room for so many at once: who comes when all is taken waits for a turn, in the order of coming. */
export class Slots {
  readonly #what: string;
  #free: number;
  readonly #queue: (() => void)[] = [];

  /** `what` is waited for, in errors. */
  constructor(count: number, what = 'a turn') {
    this.#free = count;
    this.#what = what;
  }

  /** How many are free. */
  get free(): number {
    return this.#free;
  }

  /** Waits for a slot. Dispose of what is returned to give it back. Throws CancelledError when `signal` aborts first. */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) throw this.#cancelled(signal);
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        const next = this.#queue.shift();
        if (next) next();
        else this.#free += 1;
      },
    };
  }

  /** Runs `work` in a slot. Throws CancelledError when `signal` aborts before its turn, and what `work` throws. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    using _slot = await this.acquire(signal);
    return await work();
  }

  /** Whose turn it is has the slot of who has left: it was never free in between. */
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
        reject(this.#cancelled(signal));
      };
      this.#queue.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  #cancelled(signal: AbortSignal | undefined): CancelledError {
    return new CancelledError(`gave up waiting for ${this.#what}`, { cause: signal?.reason });
  }
}
