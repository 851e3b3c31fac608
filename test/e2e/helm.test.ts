import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chained } from '../support/chained.ts';
import { Release, system, timeout } from '../support/release.ts';
import { scrapedSteps, startScraping } from './steps/scraping.ts';
import { survivalSteps } from './steps/survival.ts';
import { Tickers } from './steps/tickers.ts';
import { keepingSteps } from './steps/keeping.ts';

let release: Release;
let tickers: Tickers;
beforeAll(async () => {
  release = await Release.prepare();
  tickers = new Tickers(release);
});
afterAll(async () => await release?.[Symbol.asyncDispose]());

// A step builds on those before it, so none is tried again alone.
describe('runlet installed by Helm on a whole cluster', { retry: 0 }, () => {
  chained(async () => await release.describe());

  it('is installed by the line of its README, with an agent that is ready', async () => {
    await release.install();
    expect((await release.agentReady()).metadata.name).toMatch(/^runlet-/);
    await release.cluster.kubectl([
      'rollout',
      'status',
      'deployment/runlet-controller',
      ...system,
      `--timeout=${timeout}`,
    ]);
    await release.test();
  });

  startScraping(() => release);
  survivalSteps(
    () => release,
    () => tickers,
  );
  scrapedSteps(
    () => release,
    () => tickers,
  );
  keepingSteps(
    () => release,
    () => tickers,
  );
});
