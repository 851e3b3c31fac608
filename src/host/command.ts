import { execa, ExecaError } from 'execa';
import { CancelledError, CommandFailedError, NotFoundError, isErrno } from '#errors/errors.ts';

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
  readonly stdout: string;
  readonly stderr: string;
}

/** Output past this is a fault of the program that we ran: it is ended. */
const maxOutputBytes = 16 * 1024 * 1024;
const stderrTail = 4096;

/**
 * Runs a program to its end and returns what it wrote. Throws CommandFailedError when it exits with another code than 0,
 * NotFoundError when there is no such program, CancelledError when `signal` aborted (the program is killed first).
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  try {
    const running = execa(program, args, {
      env: options.env ?? minimalEnvironment(),
      extendEnv: false,
      stripFinalNewline: false,
      maxBuffer: maxOutputBytes,
      killSignal: 'SIGKILL',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
      ...(options.signal ? { cancelSignal: options.signal } : {}),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    });
    if (options.onStderrLine) {
      for await (const line of running.iterable({ from: 'stderr' })) options.onStderrLine(line);
    }
    const { stdout, stderr } = await running;
    return { stdout, stderr };
  } catch (error) {
    throw translate(error, [program, ...args]);
  }
}

/** Where PATH is the only variable handed to programs: an agent's environment may hold secrets. */
export function minimalEnvironment(): Record<string, string> {
  return { PATH: searchPath() };
}

const fallbackPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The PATH that programs are searched on. */
export function searchPath(): string {
  // oxlint-disable-next-line node/no-process-env -- PATH says where the machine's programs are; it is no setting of ours
  return process.env['PATH'] ?? fallbackPath;
}

function translate(error: unknown, argv: readonly string[]): Error {
  if (!(error instanceof ExecaError)) return error instanceof Error ? error : new Error(String(error));
  if (error.isCanceled) return new CancelledError(`${argv[0]} was ended because its caller gave up`, { cause: error });
  if (isErrno(error.cause, 'ENOENT') || error.code === 'ENOENT') {
    return new NotFoundError(`cannot run ${argv[0]}: no such program on PATH`, { cause: error });
  }
  const stderr: unknown = error.stderr;
  return new CommandFailedError({
    argv,
    exitCode: error.exitCode,
    signal: error.signal ?? (error.timedOut ? 'SIGKILL (out of time)' : undefined),
    stderr: typeof stderr === 'string' ? stderr.slice(-stderrTail) : '',
    cause: error,
  });
}
