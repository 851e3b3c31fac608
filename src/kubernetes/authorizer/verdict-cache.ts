import { createHash } from 'node:crypto';
import type { Clock } from '#async/clock.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { ResourceExhaustedError } from '#errors/errors.ts';

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

/** A token's answer is asked for again after this: how long one that was taken back still counts. */
const allowedMs = 60_000;
/** Soon, so that a grant counts soon. */
const refusedMs = 10_000;
/** More scrapers than there are; whoever tries tokens does not fill the memory. */
const mostEntries = 256;
/** Questions under way at once: whoever tries tokens neither burdens the cluster nor takes up the agent's connections to it. */
const mostQuestions = 4;

interface Entry {
  readonly verdict: Verdict;
  readonly untilMs: number;
}

/** Remembers answers for a while, by the token's digest: scrapes come every few seconds. */
export class VerdictCache {
  readonly #clock: Clock;
  /** Apart from each other: no number of refusals makes room by forgetting who was allowed. */
  readonly #allowed = new Map<string, Entry>();
  readonly #refused = new Map<string, Entry>();
  readonly #flights = new SingleFlight<string, Verdict>();
  readonly #asked = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The answer that is remembered, else that of `ask`; a failure is not remembered. Throws ResourceExhaustedError while too
   * many others are asked for.
   */
  async get(token: string, ask: () => Promise<Verdict>): Promise<Verdict> {
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#allowed.get(key) ?? this.#refused.get(key);
    if (known && known.untilMs > this.#clock.monotonicMs()) return known.verdict;
    if (!this.#asked.has(key) && this.#asked.size >= mostQuestions) {
      throw new ResourceExhaustedError(`${mostQuestions} tokens are being looked at already`);
    }
    return await this.#flights.run(key, async () => {
      this.#asked.add(key);
      try {
        const verdict = await ask();
        this.#put(key, verdict);
        return verdict;
      } finally {
        this.#asked.delete(key);
      }
    });
  }

  #put(key: string, verdict: Verdict): void {
    for (const entries of [this.#allowed, this.#refused]) entries.delete(key);
    const entries = verdict === 'allowed' ? this.#allowed : this.#refused;
    if (entries.size >= mostEntries) {
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    }
    const forMs = verdict === 'allowed' ? allowedMs : refusedMs;
    entries.set(key, { verdict, untilMs: this.#clock.monotonicMs() + forMs });
  }
}
