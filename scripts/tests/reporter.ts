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
  readonly #ended: TestModule[] = [];

  /** After every file, so that a run that is ended from outside loses only what it was at. */
  onTestModuleEnd(module: TestModule): void {
    this.#ended.push(module);
    write(toReport(this.#ended, []));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly Thrown[]): void {
    write(toReport(modules, unhandled));
  }
}

function write(report: RunReport): void {
  const path = process.env['RUNLET_TEST_REPORT'];
  if (path) writeFileSync(path, JSON.stringify(report));
}

function toReport(modules: readonly TestModule[], unhandled: readonly Thrown[]): RunReport {
  // A worker that died says nothing of its file: it is the one that has not ended.
  const halfDone = modules.find((module) => [...module.children.allTests()].some((test) => !isEnded(test)));
  const fileOf = (error: Thrown) => modules.find(({ moduleId }) => moduleId === error['VITEST_TEST_PATH']) ?? halfDone;
  return {
    files: modules.map((module) =>
      toFile(
        module,
        unhandled.filter((error) => fileOf(error) === module),
      ),
    ),
    errors: unhandled.filter((error) => fileOf(error) === undefined).map(describe),
  };
}

function isEnded(test: TestCase): boolean {
  return test.result().state !== 'pending';
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
      return { name, state: 'skipped', note: result.note ?? reasonOfSkip(test) };
    case 'failed':
      return { name, state: 'failed', retries, note: result.errors.map(describe).join('\n') };
    case 'pending':
      return { name, state: 'failed', note: 'it did not end' };
  }
}

function reasonOfSkip({ parent }: TestCase): string {
  return parent.errors().length > 0 ? 'what had to be before it failed' : 'its file says so';
}

/** Message, the frames that are ours, and what caused it. */
function describe(error: Thrown): string {
  const stack = error.stack ?? '';
  const text = stack.includes(error.message ?? '') ? stack : `${error.name}: ${error.message}\n${stack}`;
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => !/^ +at .*(?:node_modules\/|node:)/u.test(line));
  const { cause } = error;
  if (isThrown(cause)) lines.push(`${cause.name}: ${cause.message}`);
  return lines.join('\n');
}

function isThrown(value: unknown): value is Thrown {
  return typeof value === 'object' && value !== null && 'message' in value;
}
