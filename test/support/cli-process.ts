import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually, type TestNode } from './node.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

/** The program as a process of its own, with pipes, or with a terminal of its own. */
export class CliProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  #out = '';
  #err = '';

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...env } });
    this.#exited = once(this.#child, 'close');
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.#out += chunk.toString('utf8')));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#err += chunk.toString('utf8')));
    this.#child.stdin?.on('error', () => {}); // it may end before it has read everything
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  type(text: string | Buffer): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** No one reads its output any more. */
  stopReading(): void {
    this.#child.stdout?.destroy();
  }

  /** Waits until its output holds a text, or follows a pattern. */
  async shows(wanted: string | RegExp): Promise<void> {
    await eventually(
      () => `${this.#out}${this.#err}`,
      (text) => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text)),
      `the program shows ${wanted}`,
    );
  }

  /** Waits for its end; resolves with its exit status, or the signal that ended it. */
  async end(): Promise<number | string> {
    await this.#exited;
    return this.#child.signalCode ?? this.#child.exitCode ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** Starts the program against the node's agent. */
export function startCli(node: TestNode, argv: readonly string[]): CliProcess {
  return new CliProcess(process.execPath, [node.program ?? main, ...argv], { RUNLET_ADDRESS: node.socket });
}

/** Runs it to its end with this input; stdout and stderr apart. */
export async function cli(
  node: TestNode,
  argv: readonly string[],
  input?: string,
): Promise<{ readonly status: number | string; readonly stdout: string; readonly stderr: string }> {
  await using running = startCli(node, argv);
  if (input !== undefined) running.type(input);
  running.endInput();
  const status = await running.end();
  return { status, stdout: running.out, stderr: running.err };
}

/**
 * Starts it on a terminal of its own of 100 × 30 characters, made by script(1): what is typed goes to that terminal, what it
 * shows is `out`. `before` and `after` are lines of shell around it.
 */
export function startOnTerminal(
  node: TestNode,
  argv: readonly string[],
  around: { readonly before?: string; readonly after?: string } = {},
): CliProcess {
  return onTerminal([process.execPath, node.program ?? main, ...argv], { RUNLET_ADDRESS: node.socket }, around);
}

/** The same of any program. */
export function onTerminal(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  around: { readonly before?: string; readonly after?: string } = {},
): CliProcess {
  const { before = ':', after = 'exit $status' } = around;
  const shell = ['stty rows 30 cols 100', before, argv.map(quoted).join(' '), 'status=$?', after].join('\n');
  return new CliProcess('script', ['-qec', shell, '/dev/null'], { ...env, TERM: 'xterm', SHELL: '/bin/sh' });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
