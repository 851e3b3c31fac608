import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

/** Folders, socket and cgroup of an agent that meets no other on this machine. */
export interface Place {
  readonly folder: string;
  readonly cgroupParent: string;
  readonly metricsAddress: string;
}

/** The socket of a place's agent. */
export function socketOf({ folder }: Place): string {
  return join(folder, 'runlet.sock');
}

/** Where a place's agent writes the logs of tasks. */
export function logsOf({ folder }: Place): string {
  return join(folder, 'logs');
}

/** An agent of our own, a child of this process. Its log is in `agent.log` of its folder. */
export class QuickstartAgent {
  readonly #place: Place;
  readonly #program: string;
  readonly #child: ChildProcess;

  /** Starts it on a folder of manifests. */
  constructor(program: string, place: Place, manifests: string) {
    this.#program = program;
    this.#place = place;
    const { folder } = place;
    const log = openSync(join(folder, 'agent.log'), 'a');
    const flags = Object.entries({
      address: socketOf(place),
      root: join(folder, 'root'),
      state: join(folder, 'state'),
      'log-dir': logsOf(place),
      manifests,
      'metrics-address': place.metricsAddress,
      'cgroup-parent': place.cgroupParent,
    }).flatMap(([name, value]) => [`--${name}`, value]);
    // In a group of its own, so that Ctrl-C is for this script, which then takes the agent down in order; and told to stop
    // when this script is killed, so that the next one may have its folder.
    const argv = ['--pdeathsig', 'TERM', process.execPath, program, 'agent', ...flags];
    this.#child = spawn('setpriv', argv, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Throws when it has ended, with the end of its log. */
  assertAlive(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the agent ended with ${this.#child.exitCode ?? this.#child.signalCode}:\n${this.lastLog()}`);
  }

  /** The end of its log. */
  lastLog(): string {
    return readFileSync(join(this.#place.folder, 'agent.log'), 'utf8').trimEnd().split('\n').slice(-20).join('\n');
  }

  /** Runs a client command against it and returns what it printed. Throws with its standard error. */
  async client(...args: readonly string[]): Promise<string> {
    const argv = [this.#program, ...args, '--address', socketOf(this.#place)];
    const { stdout } = await runFile(process.execPath, argv, { env: { ...process.env, COLUMNS: '100' } });
    return stdout;
  }

  /** Tells it to stop and waits until it has; its tasks go on. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopLimitMs);
    await ended;
    clearTimeout(timer);
  }
}

/** An agent has nothing long to do when it stops. */
const stopLimitMs = 15_000;
