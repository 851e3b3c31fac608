/** What a scrape costs with many tasks: CPU, time, bytes and how long the event loop stands still. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
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

const taskCounts = [100, 400, 1000];
const profiles: readonly StatsDetail[] = ['basic', 'standard', 'full'];
const scrapes = 20;
const parent = `/runlet-bench-${process.pid}`;

/** Tasks without processes: their cgroups are real, so that the kernel's part is in the numbers. */
async function measure(count: number, profile: StatsDetail): Promise<string> {
  const hierarchy = detectHierarchy();
  const node = await recoveredNode();
  const groups = new Map<string, CgroupGroup>();
  node.runtime.openStats = (ref: TaskRef): StatsSource => {
    const group = groups.get(refKey(ref)) ?? new CgroupGroup(hierarchy, `${parent}/${ref.id}`);
    const { version } = hierarchy;
    const where =
      version === 1 ? { version, dirs: group.foldersByController } : { version, dirs: group.folder('') ?? '' };
    return openCgroupReader(where, { keep: profile });
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
    for (let round = 0; round < 5; round += 1) await metrics.expose('text');
    return await row(metrics, count, profile);
  } finally {
    await node.manager.close();
    for (const group of groups.values()) group.remove();
    new CgroupGroup(hierarchy, parent).remove();
  }
}

async function row(metrics: Metrics, count: number, profile: StatsDetail): Promise<string> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const startedAt = performance.now();
  let bytes = 0;
  let series = 0;
  for (let round = 0; round < scrapes; round += 1) {
    const body = await metrics.expose('text');
    bytes = body.length;
    if (round === 0)
      series = body
        .toString()
        .split('\n')
        .filter((line) => line.startsWith('runlet_task_')).length;
  }
  const elapsedMs = (performance.now() - startedAt) / scrapes;
  const { user, system } = process.cpuUsage(before);
  delay.disable();
  const cpuMs = (user + system) / 1000 / scrapes;
  const columns = [
    String(count).padStart(6),
    profile.padEnd(9),
    (series / count).toFixed(0).padStart(7),
    cpuMs.toFixed(1).padStart(8),
    ((cpuMs * 1000) / count).toFixed(0).padStart(8),
    elapsedMs.toFixed(1).padStart(8),
    (delay.max / 1e6 - 1).toFixed(1).padStart(8),
    (bytes / 1024).toFixed(0).padStart(8),
    String(KeptFiles.count).padStart(8),
  ];
  return columns.join(' ');
}

/** Prints a table; figures of one run are to be compared with each other. */
export async function run(): Promise<void> {
  console.log(' tasks profile  series/t   cpu ms   µs/task  time ms stall ms      KiB    files');
  for (const profile of profiles) for (const count of taskCounts) console.log(await measure(count, profile));
}
