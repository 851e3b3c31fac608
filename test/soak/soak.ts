import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { admin, startApiServer, type ApiServer } from '../support/api-server.ts';
import { disagreements, nodeNamespace } from './agreement.ts';
import { killAgents, killAll, killServer, type AgentHistory } from './faults.ts';
import { readKernelTask } from './kernel.ts';
import { leftovers, monitorsOf } from './leftovers.ts';
import { SoakObjects } from './objects.ts';
import { planSoak, type SoakOptions } from './plan.ts';
import { largest, memoryOf, tooLarge, type ProcessMemory } from './process-memory.ts';
import { needlessStarts } from './starts.ts';
import { makeSoakRootfs, SharedFolder, type Runs } from './task-program.ts';

export interface SoakRun extends SoakOptions {
  /** The agent's program; by default its sources. */
  readonly program?: string;
  /** Told how it goes. */
  readonly say?: (line: string) => void;
  /** Gives up; everything is removed then. */
  readonly signal?: AbortSignal;
}

export interface SoakResult {
  /** What the node has promised and not kept, one sentence each. */
  readonly violations: readonly string[];
  readonly figures: SoakFigures;
}

export interface SoakFigures {
  /** Changes that the server took, by kind. */
  readonly changes: Readonly<Record<string, number>>;
  readonly agents: AgentHistory;
  readonly serverKills: number;
  /** Starts of tasks' programs, and ends of their own. */
  readonly starts: number;
  readonly ends: number;
  /** From the last fault until all agreed, and from the deletion of all objects until nothing was left. */
  readonly settledAfterMs: number;
  readonly emptyAfterMs: number;
  /** Of the last agent, with all tasks and with none. */
  readonly settled: ProcessMemory;
  readonly empty: ProcessMemory;
}

/** How long the node may take to become as it is to be, and to get rid of all: so much, and so much for each task. */
const patience = { leastMs: 90_000, eachMs: 600 };
const lookAgainMs = 250;

/** Does what is planned to a real node and a real API server, and says what did not come out as it should. */
export async function runSoak(options: SoakRun): Promise<SoakResult> {
  const node = makeAgentNode(options.program);
  try {
    await using server = await startApiServer({ kind: 'plain' });
    return await new Soak(options, node, server).run();
  } finally {
    await node.clean();
  }
}

class Soak {
  readonly #options: SoakRun;
  readonly #node: AgentNode;
  readonly #server: ApiServer;
  readonly #shared: SharedFolder;
  readonly #objects: SoakObjects;
  readonly #abort = new AbortController();
  readonly #agents: AgentHistory = {
    kills: 0,
    youngKills: 0,
    most: { residentBytes: 0, peakBytes: 0, descriptors: 0 },
  };

  constructor(options: SoakRun, node: AgentNode, server: ApiServer) {
    this.#options = options;
    options.signal?.addEventListener('abort', () => this.#abort.abort(options.signal?.reason), { once: true });
    this.#node = node;
    this.#server = server;
    this.#shared = new SharedFolder(join(node.folder, 'shared'));
    const rootfs = [0, 1].map((number) => makeSoakRootfs(join(node.folder, `rootfs-${number}`)));
    this.#objects = new SoakObjects({
      server,
      place: {
        ...{ nodeName: 'test-node', rootfs, shared: this.#shared.path },
        kill: (name, what) =>
          killAll(
            what === 'monitor' ? monitorsOf(node, name) : (readKernelTask(node, nodeNamespace, name)?.pids ?? []),
          ),
      },
      signal: this.#abort.signal,
    });
  }

  async run(): Promise<SoakResult> {
    await this.#objects.makeNamespace();
    const { agent, serverKills } = await this.#churn();
    this.#say('no more faults: waiting until all is as it is to be');
    const settling = await this.#until(() => this.#differences());
    const settled = memoryOf(agent.pid);
    const needless = await this.#needlessStarts();
    this.#say(`agreed after ${Math.round(settling.tookMs / 1000)} s; deleting everything`);
    await this.#objects.deleteAll();
    const emptying = await this.#until(() => this.#remains());
    const empty = memoryOf(agent.pid);
    const most = [settled, empty].reduce(largest, this.#agents.most);
    const runs = [...this.#shared.runs().values()];
    return {
      violations: [
        ...settling.left,
        ...needless,
        ...emptying.left,
        ...this.#shared.violations().map((line) => `ran twice at once: ${line}`),
        ...tooLarge({ most, empty }, this.#options.tasks),
        ...this.#errors(),
      ],
      figures: {
        changes: Object.fromEntries(this.#objects.done),
        agents: { ...this.#agents, most },
        serverKills,
        starts: runs.reduce((sum, { starts }) => sum + starts.length, 0),
        ends: runs.reduce((sum, { ends }) => sum + ends.length, 0),
        settledAfterMs: settling.tookMs,
        emptyAfterMs: emptying.tookMs,
        settled,
        empty,
      },
    };
  }

  /** All faults and changes, until their time is over; then an agent and the server are up. */
  async #churn(): Promise<{ readonly agent: RunningAgent; readonly serverKills: number }> {
    const plan = planSoak(this.#options);
    const beganMs = performance.now();
    const peace = new AbortController();
    const start = {
      flags: [
        ...['--kubeconfig', this.#server.kubeconfig(admin), '--rootfs-allow', this.#node.folder],
        ...['--host-path-allow', this.#shared.path],
      ],
    };
    const parts = [
      killAgents(this.#node, { start, deaths: plan.deaths, signal: peace.signal }, this.#agents),
      killServer(this.#server, plan.outages, { beganMs, signal: this.#abort.signal }),
      this.#objects
        .follow(plan.steps, beganMs)
        .then(() => delay(Math.max(0, beganMs + this.#options.minutes * 60_000 - performance.now())))
        .then(() => peace.abort()),
    ] as const;
    try {
      const [agent, serverKills] = await Promise.all(parts);
      return { agent, serverKills };
    } catch (error) {
      peace.abort();
      this.#abort.abort(error);
      await Promise.allSettled(parts);
      throw error;
    }
  }

  /** Looks until nothing is to be said, or patience ends. */
  async #until(
    look: () => Promise<readonly string[]>,
  ): Promise<{ readonly left: readonly string[]; readonly tookMs: number }> {
    const beganMs = performance.now();
    const limitMs = patience.leastMs + patience.eachMs * this.#options.tasks;
    for (let said = 0; ;) {
      const spentMs = performance.now() - beganMs;
      const left = await look();
      if (left.length === 0 || spentMs > limitMs) return { left, tookMs: spentMs };
      if (spentMs / 10_000 > said) {
        said += 1;
        this.#say(`${left.length} to go, such as: ${left[0]}`);
      }
      await delay(lookAgainMs, undefined, { signal: this.#abort.signal });
    }
  }

  async #differences(): Promise<readonly string[]> {
    const objects = await this.#objects.list();
    const runs = this.#shared.runs();
    return [
      ...objects.flatMap((object) => disagreements(object, this.#node, this.#knownOf(object.metadata.uid, runs))),
      ...leftovers(this.#node, objects),
    ];
  }

  #knownOf(uid: string, runs: ReadonlyMap<string, Runs>) {
    return { runs: runs.get(uid), story: this.#objects.stories.get(uid) };
  }

  async #needlessStarts(): Promise<readonly string[]> {
    return needlessStarts(this.#objects.stories, this.#shared.runs(), await this.#objects.list());
  }

  async #remains(): Promise<readonly string[]> {
    const objects = await this.#objects.list();
    const there = objects.map(({ metadata }) => `the object ${metadata.name} is still there`);
    return there.length > 0 ? there : leftovers(this.#node, []);
  }

  /** What agents said that somebody must act on, and how those ended that nobody had killed. */
  #errors(): readonly string[] {
    const files = readdirSync(this.#node.folder).filter((name) => /^agent-\d+\.log$/.test(name));
    const lines = files.flatMap((name) => readFileSync(join(this.#node.folder, name), 'utf8').split('\n'));
    return lines
      .filter((line) => line !== '' && !/^\{"level":[1-4]0,/.test(line))
      .map((line) => `an agent said: ${line}`);
  }

  #say(line: string): void {
    this.#options.say?.(line);
  }
}
