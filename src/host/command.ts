import { delimiter } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { CancelledError, CommandFailedError, NotFoundError } from '#errors/errors.ts';
import { LineReader, OutputEnd, OutputStart } from './output.ts';
import { endGroup, exitOf, spawnProgram, type ChildProcess } from './spawn.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment of the program; without it, only PATH is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Called for every line of standard error as it comes. */
  readonly onStderrLine?: (line: string) => void;
}

export interface CommandResult {
  /** All of it, 16 MiB at most: a program that writes more has failed. */
  readonly stdout: string;
  /** The last 64 KiB of it. */
  readonly stderr: string;
}

/** Output past this is a fault of the program that we ran: it is ended. */
const maxOutputBytes = 16 * 1024 * 1024;
const keptStderrBytes = 64 * 1024;
const failureStderrBytes = 4096;

/** Why a program was ended before its time. */
type Verdict = 'cancelled' | 'out of time' | 'too much output';

/**
 * Runs a program to its end and returns what it wrote. It leads a process group of its own, which is ended with it when
 * `signal` aborts, its time is over or it writes too much; so nothing that it started goes on alone. Throws
 * CommandFailedError when it exits with another code than 0, NotFoundError when there is no such program, CancelledError
 * when `signal` aborted.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  if (options.signal?.aborted) throw cancelled(program, options.signal);
  const child = await start(program, args, options);
  let verdict: Verdict | undefined;
  const end = (why: Verdict) => {
    verdict ??= why;
    endGroup(child);
  };
  using _limits = limit(options, end);
  const stdout = new OutputStart(maxOutputBytes, () => end('too much output'));
  const stderr = new OutputEnd(keptStderrBytes);
  const lines = options.onStderrLine && new LineReader(options.onStderrLine, keptStderrBytes);
  await Promise.all([
    drain(child.stdout, (data) => stdout.add(data)),
    drain(child.stderr, (data) => {
      stderr.add(data);
      lines?.add(data);
    }),
    exitOf(child),
  ]);
  lines?.end();
  if (verdict === 'cancelled') throw cancelled(program, options.signal);
  if (verdict === undefined && child.exitCode === 0) return { stdout: stdout.text(), stderr: stderr.text() };
  throw new CommandFailedError({
    argv: [program, ...args],
    exitCode: child.exitCode ?? undefined,
    signal: verdict ? `SIGKILL (${verdict})` : (child.signalCode ?? undefined),
    stderr: stderr.text().slice(-failureStderrBytes),
  });
}

async function start(program: string, args: readonly string[], options: CommandOptions): Promise<ChildProcess> {
  try {
    const child = await spawnProgram(program, args, {
      env: options.env ?? minimalEnvironment(),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ownGroup: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    child.stdin?.on('error', () => {}); // it may end without reading; its exit code says how
    child.stdin?.end(options.input);
    return child;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new NotFoundError(`cannot run ${program}: no such program${program.includes('/') ? '' : ' on PATH'}`, {
      cause: error,
    });
  }
}

function limit({ signal, timeoutMs }: CommandOptions, end: (why: Verdict) => void): Disposable {
  const cancel = () => end('cancelled');
  signal?.addEventListener('abort', cancel, { once: true });
  if (signal?.aborted) cancel();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => end('out of time'), timeoutMs);
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    },
  };
}

/** Takes what comes until the other side has closed, or broken, the pipe. */
async function drain(stream: Readable | null, take: (data: Buffer) => void): Promise<void> {
  if (!stream) return;
  stream.on('data', take);
  await finished(stream).catch(() => {});
}

function cancelled(program: string, signal: AbortSignal | undefined): CancelledError {
  return new CancelledError(`${program} was ended because its caller gave up`, { cause: signal?.reason });
}

/**
 * Where PATH is the only variable handed to programs: an agent's environment may hold secrets. `first` is a folder that is
 * searched before the others.
 */
export function minimalEnvironment(first?: string): Record<string, string> {
  return { PATH: first === undefined ? searchPath() : `${first}${delimiter}${searchPath()}` };
}

const fallbackPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The PATH that programs are searched on. */
export function searchPath(): string {
  // oxlint-disable-next-line node/no-process-env -- PATH says where the machine's programs are; it is no setting of ours
  return process.env['PATH'] ?? fallbackPath;
}
