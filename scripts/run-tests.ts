import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { projects, type TestProject } from './tests/projects.ts';
import {
  describeFailures,
  describeRetries,
  describeSkips,
  finalLine,
  hasFailed,
  passedOnSecondTry,
  skippedProject,
  totals,
  withSecondTries,
  type FileOutcome,
  type RunReport,
} from './tests/report.ts';
import { listTests, runPeer, runVitest } from './tests/vitest.ts';

/** All of it has to end within the hour and a half that a CI job may take, checks and set-up included. */
const allMinutes = 75;
/** The Kubernetes build takes ten minutes on two cores; twice that is a machine that will not end it. */
const peerMinutes = 25;
const startedMs = performance.now();

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: 'string', multiple: true } },
});
process.exitCode = await main(values.project ?? projects.map(({ name }) => name), positionals);

/** Runs the projects one after another and prints what they came to; the last line is for machines. */
async function main(names: readonly string[], files: readonly string[]): Promise<number> {
  const reports: RunReport[] = [];
  const secondTries: string[] = [];
  for (const project of projects.filter(({ name }) => names.includes(name))) {
    if (!hasFiles(project, files)) continue;
    const { report, onSecondTry } = await runProject(project, files);
    reports.push(report);
    secondTries.push(...onSecondTry);
    if (process.exitCode === 130) break; // told to stop
  }
  const sum = totals(reports);
  for (const line of describeRetries(reports)) console.log(line);
  for (const line of describeSkips(reports)) console.log(line);
  for (const file of secondTries) console.log(`PASSED ON THE SECOND TRY ${file}`);
  for (const line of describeFailures(reports)) console.log(line);
  console.log(finalLine(sum));
  return sum.failed > 0 || sum.passed === 0 || process.exitCode === 130 ? 1 : 0;
}

/** A limit, or less where less is left; what is past its time is ended almost at once and says so. */
function minutesLeft(limitMinutes: number): number {
  const left = allMinutes - (performance.now() - startedMs) / 60_000;
  return Math.max(0.1, Math.min(limitMinutes, Math.round(left)));
}

interface ProjectOutcome {
  readonly report: RunReport;
  /** Files that failed at first. */
  readonly onSecondTry: readonly string[];
}

async function runProject(project: TestProject, files: readonly string[]): Promise<ProjectOutcome> {
  const { name, limitMinutes } = project;
  for (const peer of project.peers) {
    if (await runPeer(peer, minutesLeft(peerMinutes))) continue;
    const why = `cannot run the tests of project ${name}: ${peer.join(' ')} failed`;
    console.log(why);
    return { report: skippedProject(await listTests(name), why), onSecondTry: [] };
  }
  console.log(`\n=== project ${name}`);
  const first = await runVitest({ project: name, files, limitMinutes: minutesLeft(limitMinutes) });
  const again: FileOutcome[] = [];
  for (const { file } of first.files.filter(hasFailed)) {
    console.log(`\n=== project ${name}: ${file} once more, alone`);
    const second = await runVitest({ project: name, files: [file], limitMinutes: minutesLeft(limitMinutes) });
    again.push(secondOutcome(file, second));
  }
  return { report: withSecondTries(first, again), onSecondTry: passedOnSecondTry(first, again) };
}

/** A second run that says nothing of the file has failed too. */
function secondOutcome(file: string, report: RunReport): FileOutcome {
  const outcome = report.files.find((one) => one.file === file) ?? { file, tests: [], errors: ['no report of it'] };
  return { ...outcome, errors: [...outcome.errors, ...report.errors] };
}

function hasFiles({ folders }: TestProject, wanted: readonly string[]): boolean {
  const found = folders.flatMap((folder) => globSync(`${folder}/**/*.test.ts`));
  return found.some((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
}
