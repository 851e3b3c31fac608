import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Bounds of durations of verbs, requests and reconciliations: a millisecond to two minutes. */
export const slowBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Bounds of what should take milliseconds. */
export const fastBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** Makes instruments of one registry. */
export class Instruments {
  readonly registry: Registry;

  constructor(registry: Registry) {
    this.registry = registry;
  }

  counter<const L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  gauge<const L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  histogram<const L extends string = never>(
    name: string,
    help: string,
    options: { readonly labels?: readonly L[]; readonly buckets: number[] },
  ): Histogram<L> {
    const { labels = [], buckets } = options;
    return new Histogram({ name, help, labelNames: labels, buckets, registers: [this.registry] });
  }

  /** A gauge that is asked for its value at each scrape. */
  asked(name: string, help: string, value: () => number | Promise<number>): void {
    const gauge = new Gauge({
      name,
      help,
      registers: [],
      async collect() {
        gauge.set(await value());
      },
    });
    this.registry.registerMetric(gauge);
  }
}
