import type { Clock } from '#async/clock.ts';

/** client-go's values: so many events of one object at once, then one more each 5 minutes. */
const burst = 25;
const refillMs = 300_000;
/** Objects that are remembered. */
const maxObjects = 1000;

/** Lets each object say so much and no more: an event is an object of the API server's database. */
export class EventLimiter {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it may say one more; counts it if so. */
  allows(uid: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#buckets.get(uid) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, before.tokens + (nowMs - before.atMs) / refillMs);
    this.#buckets.delete(uid);
    this.#buckets.set(uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > maxObjects && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }
}
