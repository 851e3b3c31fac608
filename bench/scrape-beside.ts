/** Scrapes of a real agent over HTTP beside those of containerd and of a kubelet's cAdvisor with the same number of tasks. */
import { setTimeout as delay } from 'node:timers/promises';
import { startKubelet } from './kubelet.ts';
import { printTable, quantile } from './measure.ts';
import { buildProgram } from './program.ts';
import { containerdSide, runletSide, type Side } from './sides.ts';

const taskCounts = [50, 100];
/** Enough that CPU time, which is told in steps of 10 ms, is known well. */
const scrapes = 60;
const warmUps = 30;
/** cAdvisor reads cgroups by itself every 10 to 15 s, whoever asks. */
const idleMs = 30_000;
const scrapeEveryS = 15;

interface Measured {
  readonly name: string;
  readonly tasks: number;
  readonly ms: readonly number[];
  /** CPU time of a scrape, in milliseconds: of the server, and of the processes that it asks. */
  readonly cpuMs: number;
  readonly helpersCpuMs: number;
  readonly bytes: number;
  /** CPU time that the server uses in a second in which nobody asks. */
  readonly idleCpuMs?: number;
}

/** Prints a table. */
export async function run(): Promise<void> {
  const program = buildProgram();
  const all: Measured[] = [];
  for (const tasks of taskCounts) {
    await using runlet = await runletSide(program);
    await withTasks(runlet, tasks);
    all.push(await scrape(runlet, tasks));
  }
  for (const tasks of taskCounts) {
    await using containerd = await containerdSide({ cri: true });
    await withTasks(containerd, tasks);
    all.push(await scrape(containerd, tasks));
    if (tasks !== taskCounts.at(-1)) continue;
    try {
      await using kubelet = await startKubelet(containerd);
      all.push(await scrapeKubelet(kubelet, tasks));
    } catch (error) {
      console.log(`without cAdvisor: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  print(all);
}

async function withTasks(side: Side, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await (await side.make(`idle${at}`, ['/bin/sleep', '100000'])).start();
}

async function scrape(side: Side, tasks: number): Promise<Measured> {
  for (let round = 0; round < warmUps; round += 1) await ask(side.metricsUrl);
  const before = side.cpuMs();
  const answers = [];
  for (let round = 0; round < scrapes; round += 1) answers.push(await ask(side.metricsUrl));
  const after = side.cpuMs();
  return {
    ...{ name: side.name, tasks },
    ms: answers.map(({ ms }) => ms),
    cpuMs: (after.daemon - before.daemon) / scrapes,
    helpersCpuMs: (after.monitors - before.monitors) / scrapes,
    bytes: answers.at(-1)?.bytes ?? 0,
  };
}

async function ask(url: string): Promise<{ readonly ms: number; readonly bytes: number }> {
  const began = performance.now();
  const text = await (await fetch(url)).text();
  return { ms: performance.now() - began, bytes: text.length };
}

async function scrapeKubelet(kubelet: Awaited<ReturnType<typeof startKubelet>>, tasks: number): Promise<Measured> {
  await kubelet.ask(warmUps);
  const before = kubelet.cpuMs();
  const answers = await kubelet.ask(scrapes);
  const after = kubelet.cpuMs();
  await delay(idleMs);
  const idleCpuMs = (kubelet.cpuMs() - after) / (idleMs / 1000);
  const told = answers.at(-1)?.tasks ?? 0;
  if (told !== tasks) console.log(`cAdvisor tells of ${told} of ${tasks} tasks`);
  return {
    ...{ name: 'cAdvisor', tasks, ms: answers.map(({ ms }) => ms), bytes: answers.at(-1)?.bytes ?? 0, idleCpuMs },
    ...{ cpuMs: (after - before) / scrapes, helpersCpuMs: 0 },
  };
}

function print(all: readonly Measured[]): void {
  console.log('');
  const head = ['over HTTP', 'tasks', 'time ms', 'p99 ms', 'KiB', 'CPU ms', 'in all', 'µs/task', 'of runlet'];
  const rows = all.map(({ name, tasks, ms, cpuMs, helpersCpuMs, bytes, idleCpuMs }) => {
    const runlet = all.find((each) => each.name === 'runlet' && each.tasks === tasks);
    // What it does by itself is done for the next scrape.
    const whole = cpuMs + helpersCpuMs + (idleCpuMs ?? 0) * scrapeEveryS;
    return [
      ...[name, String(tasks), quantile(ms, 0.5).toFixed(1), quantile(ms, 0.99).toFixed(1), (bytes / 1024).toFixed(0)],
      ...[cpuMs.toFixed(1), whole.toFixed(1), ((whole * 1000) / tasks).toFixed(0)],
      runlet ? `${(whole / (runlet.cpuMs + runlet.helpersCpuMs)).toFixed(1)}×` : '',
    ];
  });
  printTable(head, rows);
  console.log(`
CPU is what the process used while it was asked. In all: with the processes that it asks (containerd asks a shim for each task),
and with what it does by itself in the ${scrapeEveryS} s before the next scrape (cAdvisor reads every cgroup, whoever asks).
aim: containerd takes 10 times as much CPU for a task.`);
}
