import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Agents to start; none asks only for what was counted. */
export interface FleetRequest {
  readonly start: readonly string[];
}

export interface FleetAnswer {
  /** What all agents of the process have asked of the API server since it was started. */
  readonly requests: number;
}

/** Agents on their way in one process of Node before another one is the better place. */
const agentsAProcess = 50;

/** Many simulated agents in a few processes. */
export class Fleet implements AsyncDisposable {
  readonly #kubeconfig: string;
  /** In memory: what agents keep on their own disks is not to be waited for on one. */
  readonly #folder = mkdtempSync('/dev/shm/runlet-test-');
  readonly #processes: ChildProcess[] = [];
  readonly #names: string[] = [];

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Starts agents until there are so many. Returns the names of the new ones once they have begun to follow the cluster. */
  async growTo(count: number): Promise<readonly string[]> {
    const names = Array.from({ length: count - this.#names.length }, (_, at) => `node-${this.#names.length + at}`);
    for (const name of names) {
      const at = Math.floor(this.#names.length / agentsAProcess);
      await ask((this.#processes[at] ??= this.#launch()), { start: [name] });
      this.#names.push(name);
    }
    return names;
  }

  /** What all agents have asked of the API server, watches included. */
  async requests(): Promise<number> {
    const answers = await Promise.all(this.#processes.map((child) => ask(child, { start: [] })));
    return answers.reduce((sum, { requests }) => sum + requests, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child) => {
        if (child.exitCode !== null) return;
        const gone = once(child, 'exit');
        child.disconnect();
        await gone;
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #launch(): ChildProcess {
    return fork(join(import.meta.dirname, 'fleet-process.ts'), [this.#kubeconfig, this.#folder]);
  }
}

function ask(child: ChildProcess, request: FleetRequest): Promise<FleetAnswer> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('a process of agents has ended'));
    child.once('exit', ended);
    child.once('message', (answer: FleetAnswer) => {
      child.off('exit', ended);
      resolve(answer);
    });
    child.send(request);
  });
}
