import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { EventLoopLag } from './event-loop.ts';
import { Instruments } from './instruments.ts';

async function read(registry: Registry, name: string): Promise<number> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.find((metric) => metric.name === name)?.values[0]?.value ?? Number.NaN;
}

function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

it('tells for how long the event loop was held up, not how often it was looked at', async () => {
  const registry = new Registry();
  using _lag = new EventLoopLag(new Instruments(registry));
  expect(await read(registry, 'nodejs_eventloop_lag_min_seconds')).toBe(0);
  // The first look only begins to measure; what comes after it is measured.
  const max = 'nodejs_eventloop_lag_max_seconds';
  let longest = 0;
  for (const end = performance.now() + 15_000; longest < 0.25 && performance.now() < end;) {
    await sleep(250);
    holdUp(500);
    await sleep(50);
    longest = Math.max(longest, await read(registry, max));
  }
  expect(longest).toBeGreaterThanOrEqual(0.25);
});

it('is silent once it is disposed of', async () => {
  const registry = new Registry();
  const lag = new EventLoopLag(new Instruments(registry));
  lag[Symbol.dispose]();
  holdUp(300);
  await sleep(20);
  expect(await read(registry, 'nodejs_eventloop_lag_max_seconds')).toBe(0);
});
