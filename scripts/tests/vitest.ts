import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { RunReport } from './report.ts';

/** One call of vitest. */
export interface VitestRun {
  readonly project: string;
  /** Parts of file names; none means all. */
  readonly files: readonly string[];
  readonly limitMinutes: number;
}

/** Runs vitest on a project, its output on ours. What cannot be learnt from it is an error in the report, never silence. */
export async function runVitest({ project, files, limitMinutes }: VitestRun): Promise<RunReport> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-report-'));
  const path = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=./scripts/tests/reporter.ts'];
    const argv = [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      ...reporters,
      '--passWithNoTests',
      ...files,
    ];
    const ended = await run([process.execPath, ...argv], { RUNLET_TEST_REPORT: path }, limitMinutes);
    if (!existsSync(path)) return { files: [], errors: [`project ${project}: vitest ${ended.how} and left no report`] };
    const report = JSON.parse(readFileSync(path, 'utf8')) as RunReport;
    const unexplained = ended.code !== 0 && (ended.late || !hasFailures(report));
    return unexplained ? { ...report, errors: [`project ${project}: vitest ${ended.how}`] } : report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a command with our output; says whether it ended well. */
export async function runPeer(argv: readonly string[], limitMinutes: number): Promise<boolean> {
  return (await run(argv, {}, limitMinutes)).code === 0;
}

/** The names of a project's tests by file; a file that cannot be read by vitest is there without names. */
export async function listTests(project: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const filesOnly of [['--filesOnly'], []]) {
    const text = await capture([
      'node_modules/vitest/vitest.mjs',
      'list',
      '--project',
      project,
      '--json',
      ...filesOnly,
    ]);
    for (const { file, name } of parseList(text)) {
      const names = found.get(file) ?? [];
      found.set(file, name === undefined ? names : [...names, name]);
    }
  }
  return found;
}

interface Ended {
  readonly code: number | null;
  readonly how: string;
  /** It was ended because it took too long. */
  readonly late: boolean;
}

/** What a program may need to clean up when it is told to stop. */
const stopLimitMs = 20_000;

async function run(argv: readonly string[], env: Record<string, string>, limitMinutes: number): Promise<Ended> {
  const [program = '', ...args] = argv;
  // A process group of its own, so that all of it can be ended.
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: environment(env),
    detached: true,
  });
  const end = (signal: NodeJS.Signals) => child.pid !== undefined && endGroup(child.pid, signal);
  const onSignal = (signal: NodeJS.Signals) => {
    end(signal);
    process.exitCode = 130;
  };
  let late = false;
  let killTimer: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    late = true;
    end('SIGTERM');
    killTimer = setTimeout(() => end('SIGKILL'), stopLimitMs);
  }, limitMinutes * 60_000);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  try {
    return await new Promise<Ended>((resolve) => {
      child.once('error', (error) => resolve({ code: null, how: `did not start: ${error.message}`, late }));
      child.once('close', (code, signal) =>
        resolve({ code, how: late ? `took more than ${limitMinutes} minutes` : `ended with ${signal ?? code}`, late }),
      );
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
}

function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended by itself
  }
}

async function capture(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'], env: environment({}) });
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  return text;
}

function parseList(text: string): readonly { readonly file: string; readonly name?: string }[] {
  try {
    const entries = JSON.parse(text) as { readonly file: string; readonly name?: string }[];
    return entries.map((entry) => ({ ...entry, file: entry.file.replace(`${process.cwd()}/`, '') }));
  } catch {
    return [];
  }
}

function hasFailures({ files, errors }: RunReport): boolean {
  return (
    errors.length > 0 || files.some((file) => file.errors.length > 0 || file.tests.some((t) => t.state === 'failed'))
  );
}

/** Ours, with the programs that the peers' scripts keep in the cache on PATH. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'runlet');
  const path = [join(cache, 'criu'), join(cache, 'test-servers/bin'), process.env['PATH'] ?? ''].join(delimiter);
  return { ...process.env, ...more, PATH: path };
}
