import { backoffMs, type BackoffPolicy } from '#async/backoff.ts';
import type { Clock } from '#async/clock.ts';

/** What is told of a queue's life, for metrics: each call costs nothing that waits. */
export interface QueueMetrics {
  /** How many keys wait now. */
  depth(keys: number): void;
  added(): void;
  retried(): void;
  /** From being added to being taken. */
  waited(ms: number): void;
  /** From being taken to being done. */
  worked(ms: number): void;
}

/** Metrics that nobody reads. */
export const noQueueMetrics: QueueMetrics = {
  depth: () => {},
  added: () => {},
  retried: () => {},
  waited: () => {},
  worked: () => {},
};

/** Waits between tries of one key whose work failed. */
const retryPolicy: BackoffPolicy = { firstMs: 200, factor: 2, capMs: 60_000, jitter: 0.2 };

/**
 * Keys to work on. A key stands in it once however often it is added, is never worked on twice at once, and one that is added
 * while it is worked on comes again afterwards: no addition is lost. Keys come in the order in which they were added.
 */
export class WorkQueue implements Disposable {
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;
  /** Key → when it was added; a Map keeps the order. */
  readonly #waiting = new Map<string, number>();
  /** Key → when it was taken. */
  readonly #working = new Map<string, number>();
  /** Added while it was worked on. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: { readonly clock: Clock; readonly metrics?: QueueMetrics }) {
    this.#clock = options.clock;
    this.#metrics = options.metrics ?? noQueueMetrics;
  }

  /** Keys that wait to be worked on now; those that wait for a time do not count. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Asks for work on a key, as soon as may be. Nothing after the end. */
  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    this.#metrics.added();
    this.#waiting.set(key, this.#clock.monotonicMs());
    this.#hand();
  }

  /** Asks for work after `ms`; of several times for one key the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    const atMs = this.#clock.monotonicMs() + ms;
    const there = this.#timers.get(key);
    if (there && there.atMs <= atMs) return;
    there?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { atMs, cancel });
  }

  /** Asks for work again after a failure: each time for one key later, until `succeeded`. Returns the wait. */
  retry(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#metrics.retried();
    const ms = backoffMs(retryPolicy, failures, () => this.#clock.random());
    this.addAfter(key, ms);
    return ms;
  }

  /** The work on a key succeeded: its next failure is its first. */
  succeeded(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined when the queue is closed. Give it back with `done`. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  /** The work on a key has ended, however it did. */
  done(key: string): void {
    const since = this.#working.get(key);
    if (since === undefined) return;
    this.#working.delete(key);
    this.#metrics.worked(this.#clock.monotonicMs() - since);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Nothing is taken any more; who waits for a key gets none. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#waiting.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #hand(): void {
    const [first] = this.#waiting;
    const taker = first && this.#takers.shift();
    if (first && taker) {
      const [key, addedMs] = first;
      this.#waiting.delete(key);
      const now = this.#clock.monotonicMs();
      this.#working.set(key, now);
      this.#metrics.waited(now - addedMs);
      taker(key);
    }
    this.#metrics.depth(this.#waiting.size);
  }
}
