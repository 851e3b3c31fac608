import { PassThrough, Writable } from 'node:stream';
import { runProgram } from '#cli/program.ts';
import type { Shell } from '#cli/shell.ts';

/** What a run of the program came to. */
export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shell that notes what is written, for running the program within the test. */
export interface TestShell extends Shell {
  readonly stdin: PassThrough & { isTTY?: boolean; setRawMode?(on: boolean): unknown };
  /** What was written until now. */
  out(): string;
  err(): string;
  /** Delivers a signal to whoever listens; false where nobody does. */
  signal(name: NodeJS.Signals): boolean;
}

/** Makes one; its terminal size is 80 × 24 where `tty` says that it is a terminal. */
export function testShell(options: { readonly tty?: boolean; readonly nowMs?: number } = {}): TestShell {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const listeners = new Map<string, Set<() => void>>();
  const size = options.tty ? { isTTY: true, columns: 80, rows: 24 } : {};
  return {
    stdin: Object.assign(new PassThrough(), options.tty ? { isTTY: true, setRawMode: () => {} } : {}),
    stdout: Object.assign(collector(out), size),
    stderr: Object.assign(collector(err), size),
    env: {},
    cwd: '/',
    version: '0.0.0-test',
    onSignal: (name, listener) => {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(listener));
      return { [Symbol.dispose]: () => void set.delete(listener) };
    },
    nowMs: () => options.nowMs ?? 1_700_000_000_000,
    pause: () => Promise.resolve(),
    out: () => Buffer.concat(out).toString('utf8'),
    err: () => Buffer.concat(err).toString('utf8'),
    signal: (name) => {
      const set = [...(listeners.get(name) ?? [])];
      for (const listener of set) listener();
      return set.length > 0;
    },
  };
}

function collector(into: Buffer[]): Writable {
  return new Writable({
    write(chunk: Buffer | string, _encoding, done) {
      into.push(Buffer.from(chunk));
      done();
    },
  });
}

/** Runs the program with these arguments to its end. */
export async function runCli(argv: readonly string[], shell: TestShell = testShell()): Promise<CliResult> {
  const status = await runProgram(argv, shell);
  return { status, stdout: shell.out(), stderr: shell.err() };
}
