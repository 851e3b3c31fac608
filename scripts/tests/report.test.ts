import { describe, expect, it } from 'vitest';
import {
  describeFailures,
  describeRetries,
  describeSkips,
  finalLine,
  passedOnSecondTry,
  skippedProject,
  totals,
  withSecondTries,
  type FileOutcome,
  type RunReport,
} from './report.ts';

const good: FileOutcome = { file: 'src/a.test.ts', tests: [{ name: 'adds', state: 'passed', retries: 0 }], errors: [] };
const bad: FileOutcome = {
  file: 'src/b.test.ts',
  tests: [
    { name: 'takes', state: 'failed', note: 'Error: 1 is not 2\n    at b.test.ts:3' },
    { name: 'gives', state: 'passed', retries: 1 },
    { name: 'waits', state: 'skipped', note: 'no crun on this machine' },
  ],
  errors: [],
};
const run = (...files: FileOutcome[]): RunReport => ({ files, errors: [] });

describe('the report of a test run', () => {
  it('ends with one line of the three counts', () => {
    expect(finalLine(totals([run(good), run(bad)]))).toBe('2 passed, 1 failed, 1 skipped');
  });

  it('counts an error that belongs to no test as a failure, so that a broken import or hook is never lost', () => {
    const broken: FileOutcome = { file: 'src/c.test.ts', tests: [], errors: ['Error: cannot find module ./d.ts'] };
    const reports = [{ files: [broken], errors: ['vitest took more than 10 minutes'] }];
    expect(totals(reports)).toEqual({ passed: 0, failed: 2, skipped: 0 });
    expect(describeFailures(reports)).toEqual([
      'FAILED vitest took more than 10 minutes',
      'FAILED src/c.test.ts: Error: cannot find module ./d.ts',
    ]);
  });

  it('counts a file as it came out the second time, and names it', () => {
    const mended: FileOutcome = { ...bad, tests: [{ name: 'takes', state: 'passed', retries: 0 }] };
    expect(totals([withSecondTries(run(good, bad), [mended])])).toEqual({ passed: 2, failed: 0, skipped: 0 });
    expect(passedOnSecondTry(run(good, bad), [mended])).toEqual(['src/b.test.ts']);
  });

  it('keeps a failure that came again', () => {
    expect(totals([withSecondTries(run(bad), [bad])]).failed).toBe(1);
    expect(passedOnSecondTry(run(bad), [bad])).toEqual([]);
  });

  it('names each failed test with the first lines of its error', () => {
    const long: FileOutcome = {
      ...bad,
      tests: [{ name: 'takes', state: 'failed', note: Array.from({ length: 40 }, (_, n) => `line ${n}`).join('\n') }],
    };
    const [text = ''] = describeFailures([run(long)]);
    expect(text).toMatch(/^FAILED src\/b\.test\.ts > takes: line 0\n/u);
    expect(text.split('\n')).toHaveLength(13);
  });

  it('says each reason for skipping once', () => {
    expect(describeSkips([run(bad, bad)])).toEqual(['SKIPPED 2: no crun on this machine (src/b.test.ts > waits)']);
  });

  it('names tests that passed only after another try', () => {
    expect(describeRetries([run(bad)])).toEqual(['RETRIED 1 times: src/b.test.ts > gives']);
  });

  it('counts the tests of a project without its peers as skipped, never as passed', () => {
    const tests = new Map([
      ['test/e2e/a.test.ts', ['one', 'two']],
      ['test/e2e/b.test.ts', []],
    ]);
    const report = skippedProject(tests, 'no kubelet');
    expect(totals([report])).toEqual({ passed: 0, failed: 0, skipped: 3 });
    expect(describeSkips([report])).toEqual(['SKIPPED 3: no kubelet (test/e2e/a.test.ts > one)']);
  });
});
