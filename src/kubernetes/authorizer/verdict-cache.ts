import { createHash } from 'node:crypto';
import type { Clock } from '#async/clock.ts';
import { SingleFlight } from '#async/single-flight.ts';

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

/** A token's answer is asked for again after this: how long one that was taken back still counts. */
const allowedMs = 60_000;
/** Soon, so that a grant counts soon. */
const refusedMs = 10_000;
/** More scrapers than there are; whoever tries tokens does not fill the memory. */
const mostEntries = 256;

interface Entry {
  readonly verdict: Verdict;
  readonly untilMs: number;
}

/** Remembers answers for a while, by the token's digest: scrapes come every few seconds. */
export class VerdictCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #flights = new SingleFlight<string, Verdict>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answer that is remembered, else that of `ask`; a failure is not remembered. */
  async get(token: string, ask: () => Promise<Verdict>): Promise<Verdict> {
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#entries.get(key);
    if (known && known.untilMs > this.#clock.monotonicMs()) return known.verdict;
    return await this.#flights.run(key, async () => {
      const verdict = await ask();
      this.#put(key, verdict);
      return verdict;
    });
  }

  #put(key: string, verdict: Verdict): void {
    this.#entries.delete(key);
    if (this.#entries.size >= mostEntries) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    const forMs = verdict === 'allowed' ? allowedMs : refusedMs;
    this.#entries.set(key, { verdict, untilMs: this.#clock.monotonicMs() + forMs });
  }
}
