import { setTimeout as delay } from 'node:timers/promises';
import { admin, startApiServer, type ApiServer } from '../test/support/api-server.ts';
import { ClusterTasks } from './cluster-tasks.ts';
import { Fleet } from './fleet.ts';
import { printTable, timed } from './measure.ts';
import { countServer, requestsBetween, type ServerCounts } from './server-counts.ts';

const tasksANode = 10;
/** After a change of everything: what is told of it later, such as events, is counted with it. */
const settleMs = 4000;
const idleMs = 15_000;
/** How long tasks change, each once in two minutes. */
const changingMs = 15_000;
const changeEveryMs = 120_000;
/** Objects that are made at once. */
const makers = 16;

/** What many agents cost an API server: simulated nodes without processes, on a real API server and its database. */
export async function run({ large }: { readonly large: boolean }): Promise<void> {
  await measure('modern', [10, 50, 200]);
  if (!large) return;
  console.log('');
  await measure('plain', [10, 50]);
}

interface Step {
  readonly nodes: number;
  readonly creating: Deltas;
  readonly idle: Deltas;
  readonly changing: Deltas;
  readonly created: number;
  readonly changed: number;
  /** With the new agents, before they had tasks. */
  readonly followed: ServerCounts;
  readonly now: ServerCounts;
}

/** What a phase came to. */
interface Deltas {
  readonly seconds: number;
  /** Of the agents alone, as they count themselves. */
  readonly asked: number;
  readonly requests: ReadonlyMap<string, number>;
  readonly cpuMs: number;
  readonly databaseCpuMs: number;
  readonly watchEvents: number;
  readonly watchBytes: number;
  readonly cut: number;
}

async function measure(kind: 'modern' | 'plain', sizes: readonly number[]): Promise<void> {
  await using server = await startApiServer({ kind });
  await using tasks = await ClusterTasks.open(server);
  await using fleet = new Fleet(server.kubeconfig(admin));
  const empty = await countServer(server);
  const steps: Step[] = [];
  for (const nodes of sizes) steps.push(await step({ server, tasks, fleet }, nodes));
  console.log(
    `${server.modern ? 'a server that selects by spec.nodeName' : 'a server that cannot select'}; ${tasksANode} tasks a node\n`,
  );
  printHoldings(empty, steps);
  for (const [title, phase, count] of [
    ['creation', 'creating', 'created'],
    ['change', 'changing', 'changed'],
  ] as const) {
    console.log('');
    printPhase(
      title,
      steps.map((each) => ({ nodes: each.nodes, deltas: each[phase], count: each[count] })),
    );
  }
  console.log('');
  printIdle(steps);
}

interface Parts {
  readonly server: ApiServer;
  readonly tasks: ClusterTasks;
  readonly fleet: Fleet;
}

async function step(parts: Parts, nodes: number): Promise<Step> {
  const { server, tasks, fleet } = parts;
  const added = await fleet.growTo(nodes);
  await delay(settleMs);
  const followed = await countServer(server);
  const names = added.flatMap((node) =>
    Array.from({ length: tasksANode }, (_, at) => ({ node, name: `${node}-${at}` })),
  );
  const creating = await during(parts, async () => {
    await inParallel(names, async ({ node, name }) => await tasks.create(name, specOn(node)));
    await Promise.all(names.map(async ({ name }) => await running(tasks, name)));
    await delay(settleMs);
  });
  const idle = await during(parts, async () => await delay(idleMs));
  let changed = 0;
  const changing = await during(parts, async () => {
    changed = await changeSteadily(tasks, fleet.names);
    await delay(settleMs);
  });
  return { nodes, followed, creating, idle, changing, created: names.length, changed, now: await countServer(server) };
}

function specOn(nodeName: string): object {
  return {
    ...{ nodeName, image: 'registry.test/app:1', command: ['forever'], args: ['--of', nodeName] },
    resources: { limits: { cpu: '500m', memory: '64Mi' } },
    env: ['A', 'B', 'C', 'D'].map((name) => ({ name, value: 'a value of some length' })),
  };
}

async function running(tasks: ClusterTasks, name: string): Promise<void> {
  await tasks.until(name, (seen) => seen?.status.state === 'Running');
}

/** Pauses tasks and lets them go on, at a steady rate. Returns how many changes there were, all seen. */
async function changeSteadily(tasks: ClusterTasks, nodes: readonly string[]): Promise<number> {
  const names = nodes.flatMap((node) => Array.from({ length: tasksANode }, (_, at) => `${node}-${at}`));
  const intervalMs = changeEveryMs / names.length;
  const changed = names.slice(0, Math.floor(changingMs / intervalMs));
  const began = performance.now();
  await Promise.all(
    changed.map(async (name, at) => {
      await delay(Math.max(0, began + at * intervalMs - performance.now()));
      await change(tasks, name, 'Paused');
    }),
  );
  // As they were, for the next step.
  await inParallel(changed, async (name) => await change(tasks, name, 'Running'));
  return 2 * changed.length;
}

async function change(tasks: ClusterTasks, name: string, runState: 'Paused' | 'Running'): Promise<void> {
  await tasks.patch(name, { runState });
  await tasks.until(name, (seen) => seen?.status.state === runState);
}

async function during({ server, fleet }: Parts, work: () => Promise<void>): Promise<Deltas> {
  const [before, asked] = [await countServer(server), await fleet.requests()];
  const ms = await timed(work);
  const [after, askedAfter] = [await countServer(server), await fleet.requests()];
  return {
    seconds: ms / 1000,
    asked: askedAfter - asked,
    requests: requestsBetween(before, after),
    cpuMs: cpuOf(after, false) - cpuOf(before, false),
    databaseCpuMs: cpuOf(after, true) - cpuOf(before, true),
    watchEvents: after.watchEvents - before.watchEvents,
    watchBytes: after.watchBytes - before.watchBytes,
    cut: after.cut - before.cut,
  };
}

function cpuOf({ programs }: ServerCounts, database: boolean): number {
  return programs.filter(({ name }) => (name === 'etcd') === database).reduce((sum, each) => sum + each.cpuMs, 0);
}

function printHoldings(empty: ServerCounts, steps: readonly Step[]): void {
  const names = empty.programs.map(({ name }) => name);
  const states = [
    { nodes: 0, tasks: 0, now: empty },
    ...steps.flatMap(({ nodes, created, followed, now }) => [
      { nodes, tasks: nodes * tasksANode - created, now: followed },
      { nodes, tasks: nodes * tasksANode, now },
    ]),
  ];
  const rows = states.map(({ nodes, tasks, now }) => [
    String(nodes),
    String(tasks),
    String(now.watches),
    ...now.programs.flatMap(({ rss, heap, descriptors }) => [
      (rss / 1024).toFixed(0),
      (heap / 2 ** 20).toFixed(0),
      String(descriptors),
    ]),
  ]);
  const columns = names.flatMap((name) => [`${name} MiB`, 'heap', 'files']);
  printTable(['nodes', 'tasks', 'watches', ...columns], rows);
}

interface Phase {
  readonly nodes: number;
  readonly deltas: Deltas;
  readonly count: number;
}

/** What one creation or change costs, by the number of nodes. */
function printPhase(title: string, phases: readonly Phase[]): void {
  const verbs = [...new Set(phases.flatMap(({ deltas }) => [...deltas.requests.keys()]))].toSorted();
  const each = (value: (deltas: Deltas) => number, digits: number) =>
    phases.map(({ deltas, count }) => (value(deltas) / count).toFixed(digits));
  printTable(
    [`for one ${title}`, ...phases.map(({ nodes }) => `${nodes} nodes`)],
    [
      [`${title}s`, ...phases.map(({ count }) => String(count))],
      [`${title}s a second`, ...phases.map(({ count, deltas }) => (count / deltas.seconds).toFixed(1))],
      ['requests of agents', ...each(({ asked }) => asked, 2)],
      ...verbs.map((verb) => [`  ${verb}`, ...each(({ requests }) => requests.get(verb) ?? 0, 2)]),
      ['events on watches', ...each(({ watchEvents }) => watchEvents, 1)],
      ['KiB on watches', ...each(({ watchBytes }) => watchBytes / 1024, 1)],
      ['watches that were cut', ...each(({ cut }) => cut, 2)],
      ['ms CPU of the API server', ...each(({ cpuMs }) => cpuMs, 1)],
      ['ms CPU of etcd', ...each(({ databaseCpuMs }) => databaseCpuMs, 1)],
    ],
  );
}

function printIdle(steps: readonly Step[]): void {
  const row = (name: string, value: (deltas: Deltas) => string) => [name, ...steps.map(({ idle }) => value(idle))];
  printTable(
    ['idle, each second', ...steps.map(({ nodes }) => `${nodes} nodes`)],
    [
      row('requests of agents', ({ asked, seconds }) => (asked / seconds).toFixed(2)),
      row('ms CPU of the API server', ({ cpuMs, seconds }) => (cpuMs / seconds).toFixed(1)),
      row('ms CPU of etcd', ({ databaseCpuMs, seconds }) => (databaseCpuMs / seconds).toFixed(1)),
    ],
  );
}

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: makers }, async () => {
      for (const one of left) await work(one);
    }),
  );
}
