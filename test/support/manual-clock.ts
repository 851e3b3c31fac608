import type { Clock } from '#async/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly call: () => void;
}

/** A clock whose hands the test turns. Wall and monotonic time are the same until it is set; random numbers are all `random`. */
export class ManualClock implements Clock {
  /** What `random()` answers. */
  randomNumber = 0.5;
  #nowMs: number;
  #setByMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#setByMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      const abort = () => {
        cancel();
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  after(ms: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  random(): number {
    return this.randomNumber;
  }

  /** Sets the wall clock, as an administrator or a time server does; no time passes. */
  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** How many calls and sleeps are waited for. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Turns the hands: what is due on the way is called in its order and at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let due = this.#next(endMs); due; due = this.#next(endMs)) {
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.call();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    return [...this.#timers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
  }
}
