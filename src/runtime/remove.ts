import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UnavailableError } from '#errors/errors.ts';
import { freeze, readFreezer, thaw } from '#cgroup/freezer.ts';
import {
  existsSync,
  listNamesSync,
  removeEmptyFolderSync,
  removeFileSync,
  removeTreeSync,
  writeTextSync,
} from '#host/files.ts';
import { mountsBelow, readMounts, unmount, type MountEntry } from '#host/mounts.ts';
import { isAlive, signalPid } from '#host/process.ts';
import { killSignal } from '#task/exits.ts';
import type { RuntimeContext } from './context.ts';
import type { MonitoredProcess } from './monitored-process.ts';
import { endHelpers } from './restore/helpers.ts';
import type { SupervisedTask } from './supervised-task.ts';

/** How long the kernel may take to end what was killed, and to let go of its cgroup. */
const patienceMs = 10_000;

/** Milliseconds between looks at a cgroup that is emptying. */
const lookMs = 1;

/** How often to look before giving way for a millisecond: a monitor that has written down an exit is about to end. */
const quickLooks = 50;

/** How long a monitor may take to write down what it saw and to end by itself. */
const monitorPatienceMs = 2000;

/**
 * Sends a signal to every process of a task's cgroup; none left is success. A KILL is made sure of: v2 has one file for
 * it, v1 is frozen first, so that nothing can fork away from under the list, and thawed so that it can die.
 */
export async function signalAll(context: RuntimeContext, task: SupervisedTask, signal: number): Promise<void> {
  if (signal !== killSignal) {
    for (const pid of task.group.pids()) signalPid(pid, signal);
    return;
  }
  for (const process of task.processes) process.killed = true;
  if (killByFile(task)) return;
  const wasThawed = readFreezer(task.group) === 'thawed';
  if (wasThawed && task.group.pids().length > 1) await tryFreeze(context, task);
  for (const pid of task.group.pids()) signalPid(pid, signal);
  thaw(task.group);
}

/** Ends whatever is left in a task's cgroup and waits until it is empty. Throws UnavailableError when it stays. */
export async function emptyCgroup(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  await until(context, `the processes of task ${task.key} do not end`, async () => {
    if (task.group.pids().length === 0) return true;
    await signalAll(context, task, killSignal);
    return task.group.pids().length === 0;
  });
}

/**
 * Removes the container: its cgroups, the runtime's state, its mounts and its bundle, in an order in which a cut leaves
 * something to find. Nothing of it runs any more when this is called, or it is ended here. Being gone is success.
 */
export async function removeTask(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  task.bundle.writeJournal({ step: 'delete' });
  await emptyCgroup(context, task);
  if (task.record.restoreFrom !== undefined) await endHelpers(context, task);
  for (const process of task.processes) process.releaseStdin();
  if (task.init.exit === undefined) await endMonitors(context, task.processes);
  const mounts = await unmountBelow(task.bundle.path, runtimeFolder(task));
  await removeContainer(context, task, mounts);
  await until(context, `the kernel does not let go of cgroup ${task.group.path}`, () =>
    Promise.resolve(task.group.remove()),
  );
  await endMonitors(context, task.processes);
  task.bundle.remove();
}

/**
 * Takes back a restore that failed or was cut off, so that the task waits for its start again: what was restored of it, the
 * runtime's state, CRIU's mount. Bundle and root file system stay.
 */
export async function undoRestore(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  // Whoever traces its processes or waits for them ends after them: nothing of them runs on.
  await emptyCgroup(context, task);
  await endHelpers(context, task);
  task.init.endMonitor();
  await emptyCgroup(context, task);
  await removeCriuYards(task.bundle.path);
  await removeContainer(context, task, await unmountBelow(runtimeFolder(task)));
  await until(context, `the kernel does not let go of cgroup ${task.group.path}`, () =>
    Promise.resolve(task.group.remove()),
  );
  task.bundle.forgetRestore();
  task.init.folder.clearAttempt();
  task.init.killed = false;
  delete task.init.monitor;
}

/**
 * Waits until the monitors have reaped what they watched and ended by themselves, which takes a millisecond or two: where
 * process 1 reaps nobody, what a killed monitor leaves unreaped would hold its cgroup for ever. One that stalls is ended.
 */
export async function endMonitors(context: RuntimeContext, processes: readonly MonitoredProcess[]): Promise<void> {
  const end = context.clock.monotonicMs() + monitorPatienceMs;
  const live = () => processes.filter(({ monitor }) => monitor !== undefined && isAlive(monitor));
  for (let look = 1; live().length > 0 && context.clock.monotonicMs() < end; look += 1) {
    await (look < quickLooks ? nextTurn() : context.clock.sleep(lookMs));
  }
  if (live().length === 0) return;
  for (const process of live()) process.endMonitor();
  await until(context, 'the monitors do not end', () => Promise.resolve(live().length === 0));
}

/**
 * Takes away everything that is mounted below these folders and returns what is mounted elsewhere. In the runtime's own a restore
 * that was cut off leaves CRIU's mount of the task's root file system, and whoever removes that folder would empty it.
 */
export async function unmountBelow(...folders: readonly string[]): Promise<readonly MountEntry[]> {
  const mounts = readMounts();
  const below = folders.flatMap((folder) => mountsBelow(folder, mounts));
  for (const { mountPoint } of below) await unmount(mountPoint);
  return below.length === 0 ? mounts : readMounts();
}

/** What the runtime keeps of a container. */
function runtimeFolder({ record }: SupervisedTask): string {
  return join(record.runtimeRoot, record.id);
}

/** A CRIU that was killed leaves its mounts of the machine's cgroups where it worked. */
async function removeCriuYards(bundle: string): Promise<void> {
  for (const name of listNamesSync(bundle)) {
    if (!name.startsWith('.criu.')) continue;
    await unmountBelow(join(bundle, name));
    removeEmptyFolderSync(join(bundle, name));
  }
}

/** Removes what the runtime keeps: by hand where it is plain, by its command where only that knows how. */
async function removeContainer(
  context: RuntimeContext,
  task: SupervisedTask,
  mounts: readonly MountEntry[],
): Promise<void> {
  const { id } = task.record;
  const folder = runtimeFolder(task);
  if (!existsSync(folder)) return;
  const state = context.fastPaths && context.cgroupDriver === 'cgroupfs' ? task.runcState() : undefined;
  const plain = state && !state.hasPoststopHooks && !state.hasIntelRdt;
  if (!plain) await task.command.remove(id);
  // The runtime's command may leave the folder behind after a create that was cut off.
  removeFileSync(join(folder, 'state.json'));
  removeTreeSync(folder, plain ? mounts : readMounts());
}

function killByFile(task: SupervisedTask): boolean {
  const folder = task.group.hierarchy.version === 2 ? task.group.folder('') : undefined;
  const file = folder === undefined ? undefined : join(folder, 'cgroup.kill');
  if (file === undefined || !existsSync(file)) return false;
  writeTextSync(file, '1');
  return true;
}

async function tryFreeze(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  try {
    await freeze(task.group, (ms) => context.clock.sleep(ms));
  } catch (error) {
    // Killing does not need it; a storm of forks is then ended in several rounds.
    context.log.debug({ err: error, task: task.key }, 'cannot freeze before the kill');
  }
}

async function until(context: RuntimeContext, failure: string, done: () => Promise<boolean>): Promise<void> {
  const end = context.clock.monotonicMs() + patienceMs;
  while (!(await done())) {
    if (context.clock.monotonicMs() > end) throw new UnavailableError(`${failure} within ${patienceMs} ms`);
    await context.clock.sleep(lookMs);
  }
}
