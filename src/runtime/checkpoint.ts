import { join } from 'node:path';
import { FailedPreconditionError } from '#errors/errors.ts';
import { freeze, readFreezer, thaw } from '#cgroup/freezer.ts';
import { exists } from '#host/files.ts';
import type { Cancellable, CheckpointOptions, CheckpointResult, FinalSample } from '#task/runtime.ts';
import type { MonitorKind } from './conmon/args.ts';
import type { RuntimeContext } from './context.ts';
import { readFrozenMs } from './criu-stats.ts';
import { DumpFolders, dumpFailure } from './dump.ts';
import { sample } from './exits.ts';
import { RuntimeFailedError } from './runc/failure.ts';
import type { RunningCheckpoint, SupervisedTask } from './supervised-task.ts';

/** The image that CRIU writes last: a folder without it is no whole checkpoint. */
const lastImage = 'inventory.img';

/**
 * Dumps a task's processes with CRIU, which goes through the runtime's command, and tells how long they stood still. Without
 * `exit` the task goes on as it was; with it, its end is told with reason Checkpointed. A dump that fails leaves the task
 * as it was and nothing in the folder. Once it has begun it is not given up: CRIU works inside the task's processes, and one
 * that is killed there would leave them broken. Throws FailedPreconditionError where there is no CRIU or it refuses the task,
 * RuntimeFailedError with the runtime's text for the rest.
 */
export async function checkpointTask(
  context: RuntimeContext,
  task: SupervisedTask,
  options: CheckpointOptions,
  { signal }: Cancellable,
): Promise<CheckpointResult> {
  signal?.throwIfAborted();
  const wasPaused = readFreezer(task.group) === 'frozen';
  if (await isWholeCheckpoint(options.imagePath)) {
    throw new FailedPreconditionError(`cannot checkpoint into ${options.imagePath}: it holds a checkpoint already`);
  }
  await using folders = await DumpFolders.make(options, task);
  task.bundle.writeJournal({ step: 'checkpoint', imagePath: options.imagePath, exit: options.exit, wasPaused });
  const running: RunningCheckpoint = {};
  task.checkpoint = running;
  let ended = false;
  try {
    const last = options.exit ? await lastNumbers(context, task) : undefined;
    const result = await dumpWhole(context, task, options, folders);
    ended = options.exit;
    if (last) task.finalSample = last;
    folders.keep();
    return result;
  } finally {
    delete task.checkpoint;
    if (!wasPaused && readFreezer(task.group) === 'frozen') thaw(task.group);
    if (ended) task.init.endReason = 'Checkpointed';
    // The note stays while the end is not on record: a new agent would else not know why it came.
    else task.bundle.clearJournal();
    running.heldExit?.();
  }
}

/** The dump, after what is to be done while nothing moves: then the task stands still for both. */
async function dumpWhole(
  context: RuntimeContext,
  task: SupervisedTask,
  options: CheckpointOptions,
  folders: DumpFolders,
): Promise<CheckpointResult> {
  if (!options.whileFrozen) return await dump(context, task, options, folders);
  await freeze(task.group, (ms) => context.clock.sleep(ms));
  const beganMs = context.clock.monotonicMs();
  await options.whileFrozen();
  await dump(context, task, options, folders);
  return { frozenMs: context.clock.monotonicMs() - beganMs };
}

async function dump(
  context: RuntimeContext,
  task: SupervisedTask,
  options: CheckpointOptions,
  { work }: DumpFolders,
): Promise<CheckpointResult> {
  const beganMs = context.clock.monotonicMs();
  try {
    await task.command.run(['checkpoint', ...checkpointArgs(options, work), task.record.id]);
  } catch (error) {
    throw error instanceof RuntimeFailedError ? dumpFailure(task, work, error) : error;
  }
  return { frozenMs: readFrozenMs(work) ?? context.clock.monotonicMs() - beganMs };
}

/** How conmon restores a task: as a create, from the images that its record names. */
export function restoreKind(task: SupervisedTask): MonitorKind {
  const imagePath = task.record.restoreFrom;
  if (imagePath === undefined) throw new FailedPreconditionError(`task ${task.key} is not made from a checkpoint`);
  return { verb: 'restore', imagePath, options: [] };
}

/** Whether the images in a folder are a whole checkpoint. */
export async function isWholeCheckpoint(imagePath: string): Promise<boolean> {
  return await exists(join(imagePath, lastImage));
}

/** Reads the counters while nothing moves any more: after the dump the processes and their numbers are gone. */
async function lastNumbers(context: RuntimeContext, task: SupervisedTask): Promise<FinalSample | undefined> {
  await freeze(task.group, (ms) => context.clock.sleep(ms));
  return sample(task);
}

/** Options of `runc checkpoint`; crun takes the same. */
function checkpointArgs(options: CheckpointOptions, workPath: string): string[] {
  return [
    ...['--image-path', options.imagePath, '--work-path', workPath],
    ...(options.exit ? [] : ['--leave-running']),
    ...(options.openTcp ? ['--tcp-established'] : []),
    ...(options.externalUnixSockets ? ['--ext-unix-sk'] : []),
    ...(options.terminal ? ['--shell-job'] : []),
    ...(options.fileLocks ? ['--file-locks'] : []),
    ...(options.emptyNamespaces ?? []).flatMap((name) => ['--empty-ns', name]),
  ];
}
