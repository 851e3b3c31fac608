import { afterEach, beforeEach } from 'vitest';

/**
 * Makes the tests of a `describe` build on one another: once one has failed the others are skipped, and what `describeState`
 * knows is printed for whoever looks for the reason.
 */
export function chained(describeState: () => Promise<string>): void {
  let failed = false;
  beforeEach(({ skip }) => {
    if (failed) skip('a step before it has failed');
  });
  afterEach(async ({ task: { result } }) => {
    if (result?.state !== 'fail') return;
    failed = true;
    process.stderr.write(`${await describeState()}\n`);
  });
}
