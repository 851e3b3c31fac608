import { join } from 'node:path';
import { FailedPreconditionError } from '#errors/errors.ts';
import { freeze, readFreezer, thaw } from '#cgroup/freezer.ts';
import { exists, makeFolder, removeTree } from '#host/files.ts';
import type { Cancellable, CheckpointOptions } from '#task/runtime.ts';
import type { MonitorKind } from './conmon/args.ts';
import type { RuntimeContext } from './context.ts';
import { sample } from './exits.ts';
import type { RunningCheckpoint, SupervisedTask } from './supervised-task.ts';

/** The image that CRIU writes last: a folder without it is no whole checkpoint. */
const lastImage = 'inventory.img';

/**
 * Dumps a task's processes with CRIU, which goes through the runtime's command. Without `exit` the task goes on as it was;
 * with it, its end is told with reason Checkpointed. A dump that fails leaves the task running, its folder is removed.
 * Throws RuntimeFailedError with the runtime's text, FailedPreconditionError where the machine has no CRIU.
 */
export async function checkpointTask(
  context: RuntimeContext,
  task: SupervisedTask,
  options: CheckpointOptions,
  { signal }: Cancellable,
): Promise<void> {
  const wasPaused = readFreezer(task.group) === 'frozen';
  const workPath = options.workPath ?? join(task.bundle.path, 'checkpoint-work');
  if (await isWholeCheckpoint(options.imagePath)) {
    throw new FailedPreconditionError(`cannot checkpoint into ${options.imagePath}: it holds a checkpoint already`);
  }
  await makeFolder(options.imagePath, 0o700);
  await makeFolder(workPath, 0o700);
  task.bundle.writeJournal({ step: 'checkpoint', imagePath: options.imagePath, exit: options.exit, wasPaused });
  const running: RunningCheckpoint = options.exit ? await lastNumbers(context, task) : {};
  task.checkpoint = running;
  let ended = false;
  try {
    await task.command.run(
      ['checkpoint', ...checkpointArgs(options, workPath), task.record.id],
      signal ? { signal } : {},
    );
    ended = options.exit;
  } finally {
    delete task.checkpoint;
    if (!wasPaused && readFreezer(task.group) === 'frozen') thaw(task.group);
    if (ended) task.init.endReason = 'Checkpointed';
    // The note stays while the end is not on record: a new agent would else not know why it came.
    else task.bundle.clearJournal();
    running.heldExit?.();
    if (options.workPath === undefined) await removeTree(workPath);
  }
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
async function lastNumbers(context: RuntimeContext, task: SupervisedTask): Promise<RunningCheckpoint> {
  await freeze(task.group, (ms) => context.clock.sleep(ms));
  const numbers = sample(task);
  return numbers ? { sample: numbers } : {};
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
