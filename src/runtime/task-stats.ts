import { openCgroupReader } from '#cgroup/reader.ts';
import type { TaskStats } from '#cgroup/stats.ts';
import type { StatsSource } from '#task/runtime.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** Opens the task's cgroup files, to be read as often as wanted. */
export function openTaskStats(task: SupervisedTask): StatsSource {
  const { version } = task.group.hierarchy;
  return openCgroupReader(
    version === 1 ? { version, dirs: task.group.foldersByController } : { version, dirs: task.group.folder('') ?? '' },
  );
}

/** One reading; undefined when the cgroup is gone. */
export function readTaskStats(task: SupervisedTask): TaskStats | undefined {
  using source = openTaskStats(task);
  return source.read();
}
