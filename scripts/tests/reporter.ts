import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { FileOutcome, RunReport, TestOutcome } from './report.ts';

interface Thrown {
  readonly name?: string | undefined;
  readonly message?: string | undefined;
  readonly stack?: string | undefined;
  readonly [more: string]: unknown;
}

/**
 * Writes what a run came to into the file that RUNLET_TEST_REPORT names. vitest's own JSON leaves out failed hooks,
 * promises that nobody awaited and the reasons of skipped tests; none of them may be lost here.
 */
export default class ReportFile implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly Thrown[]): void {
    const path = process.env['RUNLET_TEST_REPORT'];
    if (path) writeFileSync(path, JSON.stringify(toReport(modules, unhandled)));
  }
}

function toReport(modules: readonly TestModule[], unhandled: readonly Thrown[]): RunReport {
  const of = (module: TestModule) => unhandled.filter((error) => error['VITEST_TEST_PATH'] === module.moduleId);
  const placed = new Set(modules.flatMap(of));
  return {
    files: modules.map((module) => toFile(module, of(module))),
    errors: unhandled.filter((error) => !placed.has(error)).map(describe),
  };
}

function toFile(module: TestModule, unhandled: readonly Thrown[]): FileOutcome {
  const suites = [...module.children.allSuites()];
  return {
    file: relative(process.cwd(), module.moduleId),
    tests: [...module.children.allTests()].map(toTest),
    errors: [
      ...module.errors().map(describe),
      ...suites.flatMap((suite) => suite.errors().map((error) => `${suite.fullName}: ${describe(error)}`)),
      ...unhandled.map((error) => `not caught by any test: ${describe(error)}`),
    ],
  };
}

function toTest(test: TestCase): TestOutcome {
  const result = test.result();
  const retries = test.diagnostic()?.retryCount ?? 0;
  const name = test.fullName;
  switch (result.state) {
    case 'passed':
      return { name, state: 'passed', retries };
    case 'skipped':
      return { name, state: 'skipped', ...(result.note === undefined ? {} : { note: result.note }) };
    case 'failed':
      return { name, state: 'failed', retries, note: result.errors.map(describe).join('\n') };
    case 'pending':
      return { name, state: 'failed', note: 'it did not end' };
  }
}

function describe(error: Thrown): string {
  const text = error.stack?.includes(error.message ?? '')
    ? error.stack
    : `${error.name}: ${error.message}\n${error.stack}`;
  return stripVTControlCharacters(text);
}
