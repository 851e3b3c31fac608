import { CancelledError, RunletError } from '#errors/errors.ts';

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Those who wait for one thing that happens once. One who gives up leaves nothing behind. */
export class Waiters<T> {
  readonly #waiting = new Set<Waiter<T>>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves when it happens. Throws the signal's reason where it is an error of ours, such as a deadline's, else CancelledError. */
  wait(signal: AbortSignal | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter<T> = {
        resolve: (value) => (leave(), resolve(value)),
        reject: (error) => (leave(), reject(error)),
      };
      const abort = () => waiter.reject(gaveUp(signal?.reason, what));
      if (signal?.aborted) {
        abort();
        return;
      }
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  resolve(value: T): void {
    for (const waiter of [...this.#waiting]) waiter.resolve(value);
  }

  reject(error: unknown): void {
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }
}

function gaveUp(reason: unknown, what: string): RunletError {
  return reason instanceof RunletError ? reason : new CancelledError(`gave up waiting for ${what}`, { cause: reason });
}
