import { setTimeout as delay } from 'node:timers/promises';
import { unary } from '#api/client.ts';
import type { ClientTask } from '../test/support/containerd-client.ts';
import { printTable, quantile, timed } from './measure.ts';
import { buildProgram, mb } from './program.ts';
import { containerdSide, runletSide, type Side } from './sides.ts';

const rounds = 30;
const warmUps = 3;
/** Between two lives, so that what the kernel does behind the last one is not counted with the next. */
const pauseMs = 20;
const inFlight = 32;
/** A server's code is compiled as it is called: each answers so many Gets before they count. */
const getsBefore = 1000;
const getsARound = 320;
/** Whoever collects metrics does so for days: what opens the files and compiles the code is not counted. */
const metricsBefore = 10;
const metricsRounds = 20;
const atOnce = 8;
const cyclesARound = 40;
const blocks = 3;

/** What is measured, and how many times as fast as containerd it should be. */
const timings = {
  create: 1.15,
  start: 8,
  exec: 1,
  pause: 8,
  resume: 8,
  'kill to exit': 3,
  delete: 8,
  'Get alone': 1.5,
  'Get, 32 in flight': 1.5,
} as const;
type Timing = keyof typeof timings;
type Samples = Record<Timing, number[]>;

interface Measured {
  readonly samples: Samples;
  readonly cyclesASecond: number[];
  readonly metricsMs: number[];
  /** KiB of proportional memory: of the server, its monitors, and what both grew by a task. */
  memory: { readonly daemon: number; readonly monitor: number; readonly growth: number };
}

/** The same calls by the same client to a containerd and to an agent, in turn in one run; the ratio is of the medians. */
export async function run({ large }: { readonly large: boolean }): Promise<void> {
  const tasks = large ? 500 : 50;
  const program = buildProgram();
  await using containerd = await containerdSide();
  await using runlet = await runletSide(program);
  const sides = [containerd, runlet] as const;
  const measured = { containerd: newMeasured(), runlet: newMeasured() };
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const side of sides) {
      await life(side, `life${round + warmUps}`, round < 0 ? newMeasured().samples : measured[side.name].samples);
      await delay(pauseMs);
    }
  }
  await gets(sides, measured);
  for (let block = 0; block < blocks; block += 1) {
    for (const side of sides) measured[side.name].cyclesASecond.push(await cycles(side, block));
  }
  for (const side of sides) await withTasks(side, tasks, measured[side.name]);
  print(measured, tasks);
}

function newMeasured(): Measured {
  const samples = Object.fromEntries(Object.keys(timings).map((name) => [name, [] as number[]])) as Samples;
  return { samples, cyclesASecond: [], metricsMs: [], memory: { daemon: 0, monitor: 0, growth: 0 } };
}

async function life(side: Side, id: string, samples: Samples): Promise<void> {
  const task = await side.container(id, ['/bin/sleep', '1000']);
  samples.create.push(await timed(() => side.create(task)));
  samples.start.push(await timed(() => task.start()));
  samples.exec.push(
    await timed(async () => {
      const exec = await task.exec('e', ['/bin/true']);
      await exec.start();
      await exec.wait();
      await exec.delete();
    }),
  );
  samples.pause.push(await timed(() => task.pause()));
  samples.resume.push(await timed(() => task.resume()));
  const ended = task.wait();
  samples['kill to exit'].push(
    await timed(async () => {
      await task.kill(9);
      await ended;
    }),
  );
  samples.delete.push(await timed(() => task.delete()));
  await side.client.deleteContainer(id);
}

async function gets(sides: readonly Side[], measured: Record<Side['name'], Measured>): Promise<void> {
  const tasks: Record<string, ClientTask> = {};
  for (const side of sides) {
    const task = await side.make('got', ['/bin/sleep', '1000']);
    await task.start();
    await many(task, getsBefore, 1, []);
    tasks[side.name] = task;
  }
  for (let block = 0; block < blocks; block += 1) {
    for (const side of sides) {
      const { samples } = measured[side.name];
      await many(tasks[side.name]!, getsARound, 1, samples['Get alone']);
      await many(tasks[side.name]!, getsARound * 4, inFlight, samples['Get, 32 in flight']);
    }
  }
  for (const side of sides) await tasks[side.name]!.remove();
}

async function many(task: ClientTask, calls: number, together: number, samples: number[]): Promise<void> {
  let next = 0;
  const caller = async () => {
    for (; next < calls; next += 1) samples.push(await timed(() => task.get()));
  };
  await Promise.all(Array.from({ length: together }, caller));
}

/** Whole lives, container and all, with some at once. Returns how many there were in a second. */
async function cycles(side: Side, block: number): Promise<number> {
  let next = 0;
  const worker = async () => {
    while (next < cyclesARound) {
      const id = `cycle${block}-${(next += 1)}`;
      const task = await side.make(id, ['/bin/true']);
      const ended = task.wait();
      await task.start();
      await ended;
      await task.delete();
      await side.client.deleteContainer(id);
    }
  };
  return (cyclesARound / (await timed(() => Promise.all(Array.from({ length: atOnce }, worker))))) * 1000;
}

/** Metrics and memory with many tasks on one side alone, so that the other is idle meanwhile. */
async function withTasks(side: Side, count: number, measured: Measured): Promise<void> {
  const before = side.daemonMemory().pss;
  const ids = Array.from({ length: count }, (_, at) => `idle${at}`);
  const tasks: ClientTask[] = [];
  await inTurns(ids, async (id) => {
    const task = await side.make(id, ['/bin/sleep', '1000']);
    tasks.push(task);
    await task.start();
  });
  const { api, metadata } = side.client;
  for (let round = -metricsBefore; round < metricsRounds; round += 1) {
    const tookMs = await timed(async () => {
      const { metrics } = await unary(api.tasks.metrics.bind(api.tasks), { filters: [] }, { metadata });
      if (metrics.length !== count) throw new Error(`${side.name} told metrics of ${metrics.length} tasks`);
    });
    if (round >= 0) measured.metricsMs.push(tookMs);
  }
  await delay(5000);
  const monitors = side.monitorMemory();
  const daemon = side.daemonMemory().pss;
  measured.memory = {
    ...{ daemon, monitor: monitors.pss / monitors.processes },
    growth: (monitors.pss + daemon - before) / count,
  };
  await inTurns(tasks, async (task) => await task.remove());
}

async function inTurns<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let one = all[next++]; one !== undefined; one = all[next++]) await work(one);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function print({ containerd, runlet }: Record<Side['name'], Measured>, tasks: number): void {
  const speed = (name: string, theirs: readonly number[], ours: readonly number[], aim: number) => {
    const [their, our] = [quantile(theirs, 0.5), quantile(ours, 0.5)];
    return [
      name,
      ms(our),
      ms(quantile(ours, 0.99)),
      ms(their),
      ms(quantile(theirs, 0.99)),
      times(their / our),
      times(aim),
    ];
  };
  printTable(
    ['ms', 'runlet', 'p99', 'containerd', 'p99', 'ratio', 'aim'],
    [
      ...Object.entries(timings).map(([name, aim]) =>
        speed(name, containerd.samples[name as Timing], runlet.samples[name as Timing], aim),
      ),
      speed(`Metrics of ${tasks} tasks`, containerd.metricsMs, runlet.metricsMs, 10),
    ],
  );
  const [ours, theirs] = [quantile(runlet.cyclesASecond, 0.5), quantile(containerd.cyclesASecond, 0.5)];
  const kept = (name: string, of: keyof Measured['memory'], aim = '') => {
    const [our, their] = [runlet.memory[of], containerd.memory[of]];
    return [name, mb(our), mb(their), times(their / our), aim];
  };
  console.log('');
  printTable(
    ['', 'runlet', 'containerd', 'ratio', 'aim'],
    [
      [`whole lives a second, ${atOnce} at once`, ours.toFixed(1), theirs.toFixed(1), times(ours / theirs), times(1.5)],
      kept(`MB of the server with ${tasks} tasks`, 'daemon'),
      kept('MB of a monitor or shim', 'monitor', times(10)),
      kept('MB that a task adds to both', 'growth', times(10)),
    ],
  );
}

function ms(value: number): string {
  return value.toFixed(2);
}

function times(value: number): string {
  return `${value.toFixed(2)}×`;
}
