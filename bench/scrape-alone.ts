/** What a scrape costs with many tasks: CPU, time, bytes and how long the event loop stands still. In this process, without HTTP. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as turn } from 'node:timers/promises';
import { CgroupGroup } from '#cgroup/group.ts';
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import { openCgroupReader } from '#cgroup/reader.ts';
import type { StatsDetail } from '#cgroup/stats.ts';
import { KeptFiles } from '#host/kept-files.ts';
import { silentLog } from '#log/log.ts';
import { Metrics } from '#metrics/metrics.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { StatsSource } from '#task/runtime.ts';
import { createTask, recoveredNode } from '../test/support/tasks.ts';
import { printTable, quantile } from './measure.ts';

const taskCounts = [100, 400, 1000];
const profiles: readonly StatsDetail[] = ['basic', 'standard', 'full'];
const scrapes = 20;
const warmUps = 15;
const lookEveryMs = 1;
const parent = `/runlet-bench-${process.pid}`;

/** Tasks without processes: their cgroups are real, so that the kernel's part is in the numbers. */
async function measure(count: number, profile: StatsDetail): Promise<readonly string[]> {
  const hierarchy = detectHierarchy();
  const node = await recoveredNode();
  const groups = new Map<string, CgroupGroup>();
  node.runtime.openStats = (ref: TaskRef): StatsSource => {
    const group = groups.get(refKey(ref)) ?? new CgroupGroup(hierarchy, `${parent}/${ref.id}`);
    return openCgroupReader(group.places, { keep: profile });
  };
  try {
    for (let index = 0; index < count; index += 1) {
      const task = createTask(`task-${index}`);
      const group = new CgroupGroup(hierarchy, `${parent}/${task.id}`);
      group.create();
      groups.set(refKey(task), group);
      await (await node.manager.create(task)).start();
    }
    using metrics = new Metrics({
      ...{ tasks: node.manager, profile, build: { version: 'bench' }, log: silentLog() },
      describe: ({ id }) => ({ image: `registry.example/${id}:1.0`, uid: '6f1d7d5e-6a40-4c3e-9d53-6d9f3c7d7f11' }),
    });
    for (let round = 0; round < warmUps; round += 1) await metrics.expose('text');
    return await row(metrics, count, profile);
  } finally {
    await node.manager.close();
    for (const group of groups.values()) group.remove();
    new CgroupGroup(hierarchy, parent).remove();
  }
}

interface Scrape {
  readonly cpuMs: number;
  readonly ms: number;
  /** Longest time for which the event loop stood still. */
  readonly stallMs: number;
  readonly bytes: number;
}

async function scrapeOnce(metrics: Metrics, delay: ReturnType<typeof monitorEventLoopDelay>): Promise<Scrape> {
  delay.reset();
  const before = process.cpuUsage();
  const beganAt = performance.now();
  const body = await metrics.expose('text');
  const { user, system } = process.cpuUsage(before);
  const ms = performance.now() - beganAt;
  // The next look is what tells of the last slice.
  await turn(2 * lookEveryMs);
  return { cpuMs: (user + system) / 1000, ms, stallMs: Math.max(0, delay.max / 1e6 - lookEveryMs), bytes: body.length };
}

async function row(metrics: Metrics, count: number, profile: StatsDetail): Promise<readonly string[]> {
  const lines = (await metrics.expose('text')).toString().split('\n');
  const series = lines.filter((line) => line.startsWith('runlet_task_')).length;
  const delay = monitorEventLoopDelay({ resolution: lookEveryMs });
  delay.enable();
  const all: Scrape[] = [];
  for (let round = 0; round < scrapes; round += 1) all.push(await scrapeOnce(metrics, delay));
  delay.disable();
  const median = (of: (scrape: Scrape) => number) => quantile(all.map(of), 0.5);
  const cpuMs = median((scrape) => scrape.cpuMs);
  return [
    ...[String(count), profile, (series / count).toFixed(0), cpuMs.toFixed(1), ((cpuMs * 1000) / count).toFixed(0)],
    ...[median(({ ms }) => ms).toFixed(1), median(({ stallMs }) => stallMs).toFixed(1)],
    ...[Math.max(...all.map(({ stallMs }) => stallMs)).toFixed(1), (median(({ bytes }) => bytes) / 1024).toFixed(0)],
    String(KeptFiles.count),
  ];
}

/** Prints a table. */
export async function run(): Promise<void> {
  const rows = [];
  for (const profile of profiles) for (const count of taskCounts) rows.push(await measure(count, profile));
  const head = [
    'tasks',
    'profile',
    'series/task',
    'CPU ms',
    'µs/task',
    'time ms',
    'stall ms',
    'longest',
    'KiB',
    'files',
  ];
  printTable(head, rows);
  console.log(
    'aim: 1,000 tasks in standard below 50 ms of CPU, no stall above 10 ms. Medians; files are those kept open.',
  );
}
