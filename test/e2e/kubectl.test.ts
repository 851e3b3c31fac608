import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chained } from '../support/chained.ts';
import { Release } from '../support/release.ts';
import { uninstallSteps } from './steps/uninstalling.ts';
import { verbSteps } from './steps/verbs.ts';

let release: Release;
beforeAll(async () => {
  release = await Release.prepare();
});
afterAll(async () => await release?.[Symbol.asyncDispose]());

// A step builds on those before it, so none is tried again alone.
describe('every verb by kubectl on a whole cluster', { retry: 0 }, () => {
  chained(async () => await release.describe());

  it('begins with an installation that passes its own test', async () => {
    await release.install('--set', 'uninstall.policy=Stop');
    expect((await release.agentReady()).metadata.name).toMatch(/^runlet-/);
    await release.test();
  });

  verbSteps(() => release);
  uninstallSteps(() => release);
});
