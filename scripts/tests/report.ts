/** One test's outcome, as the reporter wrote it down. */
export interface TestOutcome {
  /** Titles from the outermost describe to the test, with ` > ` between. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** First lines of what it failed with, or why it was skipped. */
  readonly note?: string;
  /** How often it was tried again before it passed or was given up. */
  readonly retries?: number;
}

/** One file's outcome. `errors` are those of no single test: an import, a hook, a promise that nobody awaited. */
export interface FileOutcome {
  /** Relative to the project's folder. */
  readonly file: string;
  readonly tests: readonly TestOutcome[];
  readonly errors: readonly string[];
}

/** What one run of vitest came to. `errors` belong to no file. */
export interface RunReport {
  readonly files: readonly FileOutcome[];
  readonly errors: readonly string[];
}

/** What all projects came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Did this file fail in any way? */
export function hasFailed(file: FileOutcome): boolean {
  return file.errors.length > 0 || file.tests.some(({ state }) => state === 'failed');
}

/** The report with the files that were run again as they came out the second time. */
export function withSecondTries(first: RunReport, again: readonly FileOutcome[]): RunReport {
  const second = new Map(again.map((file) => [file.file, file]));
  return { ...first, files: first.files.map((file) => second.get(file.file) ?? file) };
}

/** The files that failed the first time and not the second. */
export function passedOnSecondTry(first: RunReport, again: readonly FileOutcome[]): readonly string[] {
  return again
    .filter((file) => !hasFailed(file) && first.files.some((before) => before.file === file.file && hasFailed(before)))
    .map(({ file }) => file);
}

/** A report that says of every test of a project why none could run. Tests that are not known count as one a file. */
export function skippedProject(tests: ReadonlyMap<string, readonly string[]>, why: string): RunReport {
  return {
    errors: [],
    files: [...tests].map(([file, names]) => ({
      file,
      errors: [],
      tests: (names.length > 0 ? names : [file]).map((name) => ({ name, state: 'skipped' as const, note: why })),
    })),
  };
}

/** Counts tests; an error that belongs to no test is a failure of its own. */
export function totals(reports: readonly RunReport[]): Totals {
  const files = reports.flatMap((report) => report.files);
  const count = (state: TestOutcome['state']) =>
    files.reduce((sum, file) => sum + file.tests.filter((test) => test.state === state).length, 0);
  const errors = [...reports, ...files].reduce((sum, { errors: own }) => sum + own.length, 0);
  return { passed: count('passed'), failed: count('failed') + errors, skipped: count('skipped') };
}

/** Name and first lines of every failure, so that the end of a log tells it all. */
export function describeFailures(reports: readonly RunReport[]): readonly string[] {
  return reports.flatMap((report) => [
    ...report.errors.map((error) => `FAILED ${firstLines(error)}`),
    ...report.files.flatMap(({ file, tests, errors }) => [
      ...errors.map((error) => `FAILED ${file}: ${firstLines(error)}`),
      ...tests
        .filter(({ state }) => state === 'failed')
        .map(({ name, note }) => `FAILED ${file} > ${name}: ${firstLines(note ?? 'it did not end')}`),
    ]),
  ]);
}

/** Each reason for skipping once, with the number of tests that it holds for and one of their names. */
export function describeSkips(reports: readonly RunReport[]): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const { file, tests } of reports.flatMap((report) => report.files)) {
    for (const { name, state, note } of tests) {
      if (state !== 'skipped') continue;
      const reason = note ?? 'its file says so';
      byReason.set(reason, [...(byReason.get(reason) ?? []), `${file} > ${name}`]);
    }
  }
  return [...byReason].map(([reason, names]) => `SKIPPED ${names.length}: ${reason} (${names[0]})`);
}

/** The tests that passed only after vitest had tried them again. */
export function describeRetries(reports: readonly RunReport[]): readonly string[] {
  return reports
    .flatMap((report) => report.files)
    .flatMap(({ file, tests }) =>
      tests
        .filter(({ state, retries }) => state === 'passed' && (retries ?? 0) > 0)
        .map(({ name, retries }) => `RETRIED ${retries} times: ${file} > ${name}`),
    );
}

/** The one line that machines read. */
export function finalLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

const shownLines = 12;

function firstLines(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.slice(0, shownLines).join('\n    ') + (lines.length > shownLines ? '\n    …' : '');
}
