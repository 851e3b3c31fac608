import { holdsKilled, readFreezer, thaw } from '#cgroup/freezer.ts';
import { existsSync, readTextSync } from '#host/files.ts';
import { execFifo } from './runc/state.ts';
import type { RuntimeContext } from './context.ts';
import type { SupervisedTask } from './supervised-task.ts';

/**
 * What a living task is doing, asked of the kernel: an init that still waits for its start is `runc init` with its FIFO,
 * a frozen cgroup is paused. A freeze that was cut off half way is taken back, and what is being killed is let die.
 */
export async function readPhase(
  context: RuntimeContext,
  task: SupervisedTask,
): Promise<'created' | 'running' | 'paused'> {
  if (await waitsForStart(context, task)) return 'created';
  const freezer = readFreezer(task.group);
  if (freezer === 'frozen' && !holdsKilled(task.group)) return 'paused';
  if (freezer !== undefined && freezer !== 'thawed') thaw(task.group);
  return 'running';
}

async function waitsForStart(context: RuntimeContext, task: SupervisedTask): Promise<boolean> {
  if (task.runcState() === undefined || !context.fastPaths) {
    return (await task.command.state(task.record.id))?.status === 'created';
  }
  const { runtimeRoot, id } = task.record;
  // Between the byte that lets an init go and the removal of its FIFO an agent may have died.
  return existsSync(execFifo(runtimeRoot, id)) && isRuntimeInit(task.init.identity?.pid);
}

function isRuntimeInit(pid: number | undefined): boolean {
  return (readTextSync(`/proc/${pid ?? 0}/cmdline`) ?? '').split('\0')[1] === 'init';
}
