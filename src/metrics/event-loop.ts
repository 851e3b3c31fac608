import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Instruments } from './instruments.ts';

/**
 * How often the event loop is looked at, in milliseconds. Each look wakes the agent, so an idle one is left alone for longer
 * than the 10 ms that are usual.
 */
const lookEveryMs = 100;
const nanosecondsASecond = 1e9;

type Delays = ReturnType<typeof monitorEventLoopDelay>;

/** prom-client's gauges of the event loop's delay, which would count the time between two looks as delay. */
export const replacedLag = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(gaugeName);

/**
 * Gauges of by how much the event loop was late since the last scrape, in seconds, under prom-client's names. Disposing of it
 * ends the looks.
 */
export class EventLoopLag implements Disposable {
  readonly #late = monitorEventLoopDelay({ resolution: lookEveryMs });

  constructor(make: Instruments) {
    this.#late.enable();
    const gauge = (part: string, help: string, read: () => number) => make.asked(gaugeName(part), help, read);
    gauge('min', 'The minimum recorded event loop delay.', () => this.#lag((late) => late.min));
    gauge('mean', 'The mean of the recorded event loop delays.', () => this.#lag((late) => late.mean));
    gauge('stddev', 'The standard deviation of the recorded event loop delays.', () => this.#spread());
    for (const percent of [50, 90, 99]) {
      const help = `The ${percent}th percentile of the recorded event loop delays.`;
      gauge(`p${percent}`, help, () => this.#lag((late) => late.percentile(percent)));
    }
    gauge('max', 'The maximum recorded event loop delay.', () => {
      const longest = this.#lag((late) => late.max);
      this.#late.reset(); // the last one that is asked in a scrape
      return longest;
    });
  }

  [Symbol.dispose](): void {
    this.#late.disable();
  }

  /** What is recorded is the time between two looks, in nanoseconds. */
  #lag(read: (late: Delays) => number): number {
    if (this.#late.count === 0) return 0;
    return Math.max(0, read(this.#late) / nanosecondsASecond - lookEveryMs / 1000);
  }

  #spread(): number {
    return this.#late.count === 0 ? 0 : this.#late.stddev / nanosecondsASecond;
  }
}

function gaugeName(part: string): string {
  return `nodejs_eventloop_lag_${part}_seconds`;
}
