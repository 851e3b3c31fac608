import { CancelledError } from '#errors/errors.ts';

/** Room for so many at once: who comes when all is taken waits for a turn, in the order of coming. */
export class Slots {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `work` in a slot. Throws CancelledError when `signal` aborts before its turn, and what `work` throws. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw cancelled(signal);
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }

  /** Whose turn it is has the slot of who has left: it was never free in between. */
  #turn(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(go), 1);
        reject(cancelled(signal));
      };
      this.#queue.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

function cancelled(signal: AbortSignal | undefined): CancelledError {
  return new CancelledError('gave up waiting for a turn', { cause: signal?.reason });
}
