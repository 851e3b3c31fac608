import { errorMessage } from '#errors/errors.ts';
import type { Exit, FinalSample, RuntimeListener } from '#task/runtime.ts';
import type { RecordedExit } from './conmon/exit-watch.ts';
import type { RuntimeContext } from './context.ts';
import type { MonitoredProcess } from './monitored-process.ts';
import { signalAll } from './remove.ts';
import { readLastStats } from './task-stats.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** conmon's status of a process that a KILL ended: 128 + 9. */
const killedStatus = 137;

/** What a process that nobody saw end is given. */
const lostStatus = 255;

/**
 * Makes of conmon's record what the core is told: why the process ended and what its cgroup counted until then, written
 * down before anybody hears of it. The cgroup's counters are still there; they go with the delete.
 */
export function settleExit(
  context: RuntimeContext,
  task: SupervisedTask,
  process: MonitoredProcess,
  recorded: RecordedExit,
): Exit {
  const isInit = process === task.init;
  const final = isInit ? (task.finalSample ?? sample(task)) : undefined;
  const exit: Exit = {
    ...outcome(context, process, recorded, final),
    ...(process.endReason ? { reason: process.endReason } : {}),
    ...(final ? { final } : {}),
  };
  remember(context, task, process, exit);
  if (isInit && !task.record.ownPidNamespace) endLeftovers(context, task);
  return exit;
}

/** Keeps an exit in memory and in the bundle. */
export function remember(context: RuntimeContext, task: SupervisedTask, process: MonitoredProcess, exit: Exit): void {
  process.exit = exit;
  process.releaseStdin();
  try {
    process.folder.writeExit(exit);
  } catch (error) {
    // A full state folder: conmon's own record says the same but for the last sample.
    context.log.warn({ task: task.key, reason: errorMessage(error) }, 'cannot write an exit down');
  }
}

/** What the task's cgroup counts now; undefined when it is gone. */
export function sample(task: SupervisedTask): FinalSample | undefined {
  const stats = readLastStats(task);
  if (!stats) return undefined;
  const { cpu, memory, pressure } = stats;
  return {
    ...(cpu ? { cpuUsageUsec: cpu.usageUsec } : {}),
    ...(cpu?.throttledUsec === undefined ? {} : { throttledUsec: cpu.throttledUsec }),
    ...(memory?.peakBytes === undefined ? {} : { peakMemoryBytes: memory.peakBytes }),
    ...(memory?.oomKills === undefined ? {} : { oomKills: memory.oomKills }),
    ...(pressure ? { pressure } : {}),
  };
}

/** Tells of out-of-memory kills that the cgroup has counted since they were last told of. */
export function tellOutOfMemory(task: SupervisedTask, oomKills: bigint | undefined, listener: RuntimeListener): void {
  if (oomKills === undefined || oomKills <= task.oomKillsTold) return;
  task.oomKillsTold = oomKills;
  task.bundle.writeOomKillsTold(oomKills);
  listener.outOfMemory(task.record);
}

function outcome(
  context: RuntimeContext,
  process: MonitoredProcess,
  recorded: RecordedExit,
  final: FinalSample | undefined,
): Exit {
  if (recorded === 'lost') return { status: lostStatus, atMs: context.clock.nowMs(), reason: 'Lost' };
  const outOfMemory = recorded.status === killedStatus && !process.killed && (final?.oomKills ?? 0n) > 0n;
  return { ...recorded, reason: outOfMemory ? 'OOMKilled' : 'Exited' };
}

/** Without a pid namespace of its own nothing ends the others when the first process does. */
function endLeftovers(context: RuntimeContext, task: SupervisedTask): void {
  if (task.group.pids().length === 0) return;
  signalAll(context, task, 9).catch((error: unknown) =>
    context.log.warn({ err: error, task: task.key }, 'cannot end what a task left running'),
  );
}
