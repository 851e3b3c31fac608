import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectHierarchy } from '#cgroup/hierarchy.ts';

const repository = join(import.meta.dirname, '../..');

/** crun refuses a v1 machine that has a v2 tree with a controller beside; nobody else sees that it is taken away here. */
function command(test: readonly string[]): readonly string[] {
  const { version, unified } = detectHierarchy();
  if (version === 2 || unified === undefined) return test;
  return ['unshare', '--mount', 'sh', '-c', 'umount "$0" && exec "$@"', unified, ...test];
}

describe('another runtime', () => {
  it('passes the tests of all verbs: crun', { timeout: 240_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    const report = join(folder, 'report.json');
    const vitest = [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'node'];
    const [program = '', ...args] = command([
      ...[process.execPath, ...vitest, 'test/node/verbs.test.ts', '--reporter=json', `--outputFile=${report}`],
    ]);
    const { PATH } = process.env;
    const run = spawnSync(program, args, {
      cwd: repository,
      env: { PATH, RUNLET_TEST_RUNTIME: 'crun' },
      encoding: 'utf8',
    });
    interface Report {
      readonly numPassedTests: number;
      readonly testResults: readonly {
        assertionResults: readonly { status: string; fullName: string; failureMessages: string[] }[];
      }[];
    }
    expect(run.error).toBeUndefined();
    const { testResults, numPassedTests } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    rmSync(folder, { recursive: true });
    const failed = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status !== 'passed')
      .map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]}`);
    expect(failed).toEqual([]);
    expect(numPassedTests).toBeGreaterThan(15);
    expect(run.status).toBe(0);
  });
});
