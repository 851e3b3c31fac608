import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A program in the background that ends with the test, also when the test is killed. */
export class Child {
  readonly name: string;
  readonly #logFile: string;
  readonly #process: ChildProcess;
  readonly #gone: Promise<unknown>;

  constructor(name: string, argv: readonly string[], options: { readonly logFile: string; readonly cwd?: string }) {
    this.name = name;
    this.#logFile = options.logFile;
    const log = openSync(options.logFile, 'a');
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', log, log],
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
    closeSync(log);
    this.#gone = once(this.#process, 'exit');
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The end of what it said. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-2000);
  }

  /** Ends it and returns when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    this.#process.kill(signal);
    await this.#gone;
  }
}
