import { CgroupGroup } from '#cgroup/group.ts';
import { UnavailableError } from '#errors/errors.ts';
import { signalPid } from '#host/process.ts';
import { killSignal } from '#task/exits.ts';
import type { RuntimeContext } from '../context.ts';
import type { SupervisedTask } from '../supervised-task.ts';

/** How long CRIU may take to end once it is done or killed. */
const patienceMs = 10_000;
const lookMs = 2;

/** The cgroup of what restores a task, once that has moved out of the task's own. */
export function helperGroup({ hierarchy, helpersPath }: RuntimeContext, { record }: SupervisedTask): CgroupGroup {
  // No identifier holds a tilde.
  return new CgroupGroup(hierarchy, `${helpersPath}/${record.namespace}~${record.id}`);
}

/** Ends what restores a task and removes its cgroup; none there is success. Throws UnavailableError when it stays. */
export async function endHelpers(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  await endGroup(context, helperGroup(context, task));
}

/** Ends everything in a cgroup of helpers and removes it. */
export async function endGroup({ clock }: RuntimeContext, group: CgroupGroup): Promise<void> {
  const end = clock.monotonicMs() + patienceMs;
  while (group.exists && (group.pids().length > 0 || !group.remove())) {
    if (clock.monotonicMs() > end) throw new UnavailableError(`the processes in ${group.path} do not end`);
    for (const pid of group.pids()) signalPid(pid, killSignal);
    await clock.sleep(lookMs);
  }
}
