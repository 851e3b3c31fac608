import { netDevOf } from '#cgroup/network.ts';
import { openCgroupReader } from '#cgroup/reader.ts';
import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { isAlive } from '#host/process.ts';
import type { StatsSource } from '#task/runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** Opens the task's cgroup files, to be read as often as wanted; those of the detail `keep` stay open. */
export function openTaskStats({ group, init }: SupervisedTask, keep: StatsDetail = 'standard'): StatsSource {
  const netDev = init.identity && isAlive(init.identity) ? netDevOf(init.identity.pid) : undefined;
  return openCgroupReader(group.places, { keep, netDev });
}

/** One reading; undefined when the cgroup is gone. */
export function readTaskStats(task: SupervisedTask, detail: StatsDetail = 'standard'): TaskStats | undefined {
  using source = openTaskStats(task);
  return source.read(detail);
}

/** What is worth keeping of a task that has ended, while its cgroup is still there. */
export function readLastStats({ group }: SupervisedTask): TaskStats | undefined {
  using source = openCgroupReader(group.places, { last: true });
  return source.read();
}
