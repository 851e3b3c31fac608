import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectApi, unary, type ApiClient } from '#api/client.ts';
import { eventually, makeTestNode, type TestNode } from './node.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

export interface AgentStart {
  /** More flags, such as `['--manifests', folder]`; a later one of a name wins. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it through a program, which replaces itself by it. */
  readonly through?: readonly string[];
}

/** A node of a test's own on which real agents run, one after another, from the sources. */
export interface AgentNode extends TestNode {
  /** Starts an agent and returns once it serves. Throws with its log when it ends before. */
  start(options?: AgentStart): Promise<RunningAgent>;
  /** Starts an agent and kills it after a time, wherever it has come to. */
  startAndKill(afterMs: number, options?: AgentStart): Promise<void>;
  /** Starts a process of the program with the node's folders and waits for its end. */
  runToEnd(options?: AgentStart): Promise<{ readonly exitCode: number; readonly log: string }>;
}

/** An agent as a process. */
export class RunningAgent implements AsyncDisposable {
  readonly node: TestNode;
  readonly pid: number;
  /** Calls on its socket; connected anew for each agent. */
  readonly api: ApiClient;
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(node: TestNode, child: ChildProcess, logFile: string) {
    this.node = node;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#logFile = logFile;
    this.api = connectApi(node.socket);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything that it has said. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Its log lines as objects; what is no JSON is left out. */
  logLines(): readonly Record<string, unknown>[] {
    return this.log()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  }

  /** `http://…` of /metrics, /healthz and /readyz, which is on a port of its own. */
  get metricsUrl(): string {
    const line = this.logLines().find(({ metricsUrl }) => metricsUrl !== undefined);
    if (!line) throw new Error('the agent has not said where it serves its metrics');
    return String(line['metricsUrl']);
  }

  /** Sends a signal and waits for its end. Resolves with its exit code, or the name of the signal that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.api[Symbol.dispose]();
    if (this.running) {
      const gone = once(this.#child, 'exit');
      this.#child.kill(signal);
      await gone;
    }
    return this.#child.signalCode ?? this.#child.exitCode ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** Makes one; `clean` ends its agents and everything that they made. The agents' program is given where it is another than the sources. */
export function makeAgentNode(program = main): AgentNode {
  const node = makeTestNode();
  const agents: RunningAgent[] = [];
  let count = 0;
  const launch = ({ flags = [], env = {}, through = [] }: AgentStart) => {
    count += 1;
    const logFile = join(node.folder, `agent-${count}.log`);
    const log = openSync(logFile, 'a');
    const [first = '', ...rest] = [...through, process.execPath, program, 'agent', ...flagsOf(node), ...flags];
    const child = spawn(first, rest, {
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'], NODE_NAME: 'test-node', ...env },
    });
    closeSync(log);
    return { child, logFile };
  };
  return {
    ...node,
    program,
    start: async (options = {}) => {
      const { child, logFile } = launch(options);
      const agent = new RunningAgent(node, child, logFile);
      agents.push(agent);
      await served(agent);
      return agent;
    },
    startAndKill: async (afterMs, options = {}) => {
      const { child } = launch(options);
      const gone = once(child, 'exit');
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await gone;
    },
    runToEnd: async (options = {}) => {
      const { child, logFile } = launch(options);
      const [exitCode] = (await once(child, 'exit')) as [number | null];
      return { exitCode: exitCode ?? -1, log: readFileSync(logFile, 'utf8') };
    },
    clean: async () => {
      await Promise.all(agents.map((agent) => agent.stop('SIGKILL')));
      await node.clean();
    },
  };
}

/** Waits until an agent answers on its socket. */
async function served(agent: RunningAgent): Promise<void> {
  await eventually(
    async () => {
      if (!agent.running) return 'ended';
      try {
        await unary(agent.api.version.version.bind(agent.api.version), {}, { timeoutMs: 2000 });
        return 'serves';
      } catch {
        return 'not yet';
      }
    },
    (state) => state !== 'not yet',
    'the agent serves',
  );
  if (!agent.running) throw new Error(`the agent ended:\n${agent.log()}`);
}

function flagsOf(node: TestNode): readonly string[] {
  return [
    ...['--address', node.socket],
    ...['--root', node.root],
    ...['--state', node.state],
    ...['--log-dir', node.logs],
    ...['--cgroup-parent', node.cgroupParent],
    ...['--metrics-address', '127.0.0.1:0'],
  ];
}
