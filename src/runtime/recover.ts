import { join } from 'node:path';
import { readFreezer, thaw } from '#cgroup/freezer.ts';
import { errorMessage } from '#errors/errors.ts';
import { existsSync, listNames, removeTree } from '#host/files.ts';
import { isAlive, signalProcess } from '#host/process.ts';
import { isIdentifier, parseNamespace, parseTaskId } from '#task/ids.ts';
import type { FoundExec, FoundTask } from '#task/runtime.ts';
import { Bundle } from './bundle.ts';
import { isWholeCheckpoint } from './checkpoint.ts';
import type { RuntimeContext } from './context.ts';
import { settleExit } from './exits.ts';
import { MonitoredProcess } from './monitored-process.ts';
import { removeOrphans } from './orphans.ts';
import { recoverProcess } from './recover-process.ts';
import { removeTask, undoRestore, unmountBelow } from './remove.ts';
import { findRunning, type Running } from './running.ts';
import { readPhase } from './phase.ts';
import { SupervisedTask } from './supervised-task.ts';

export interface Recovered {
  readonly task: SupervisedTask;
  readonly found: FoundTask;
}

/** How long a command of a former agent, such as a dump, may go on before it is ended. */
const commandPatienceMs = 60_000;
const lookMs = 20;

/**
 * Reads back every task from its bundle: adopts what runs, settles what ended meanwhile, finishes or undoes what was half
 * made, removes what nobody owns. Monitors are moved out of harm's way before anything else. A bundle that cannot be read
 * is reported and left alone, and the others go on.
 */
export async function recoverTasks(context: RuntimeContext): Promise<readonly Recovered[]> {
  const monitors = await adoptMonitors(context);
  const bundles = await findBundles(context);
  await endUnproved(context, bundles, monitors);
  await waitForCommands(context);
  const recovered: Recovered[] = [];
  for (const bundle of bundles) {
    try {
      const one = await recoverBundle(context, bundle, monitors);
      if (one) recovered.push(one);
    } catch (error) {
      context.log.error({ bundle: bundle.path, reason: errorMessage(error) }, 'cannot recover a task; left as it is');
    }
  }
  await removeOrphans(context, monitors);
  return recovered;
}

/**
 * Moves every monitor to its cgroup. One that is just turning itself into a daemon has two pids in turn, so this goes on
 * until no new one is found.
 */
async function adoptMonitors(context: RuntimeContext): Promise<readonly Running[]> {
  const known = new Map<number, Running>();
  for (;;) {
    const found = (await findRunning(context.tasksFolder)).filter(({ program }) => program === 'monitor');
    const fresh = found.filter(({ identity }) => !known.has(identity.pid));
    if (fresh.length === 0) return [...known.values()].filter(({ identity }) => isAlive(identity));
    for (const monitor of fresh) {
      await context.monitors.add(monitor.identity.pid);
      known.set(monitor.identity.pid, monitor);
    }
  }
}

/** Lets the runtime's commands that a former agent started come to their end; creates and execs are their monitors'. */
async function waitForCommands(context: RuntimeContext): Promise<void> {
  const end = context.clock.monotonicMs() + commandPatienceMs;
  for (;;) {
    const commands = (await findRunning(context.tasksFolder)).filter(({ program }) => program === 'runtime');
    if (commands.length === 0) return;
    if (context.clock.monotonicMs() > end) {
      for (const { identity } of commands) signalProcess(identity, 9);
      return;
    }
    await context.clock.sleep(lookMs);
  }
}

async function findBundles(context: RuntimeContext): Promise<readonly Bundle[]> {
  const bundles: Bundle[] = [];
  for (const namespace of await listNames(context.tasksFolder)) {
    for (const id of await listNames(join(context.tasksFolder, namespace))) {
      if (isIdentifier(namespace) && isIdentifier(id)) {
        bundles.push(new Bundle(context.tasksFolder, { namespace: parseNamespace(namespace), id: parseTaskId(id) }));
      } else if (id.startsWith('.')) {
        await removeTree(join(context.tasksFolder, namespace, id)); // the rest of a removal
      }
    }
  }
  return bundles;
}

async function recoverBundle(
  context: RuntimeContext,
  bundle: Bundle,
  monitors: readonly Running[],
): Promise<Recovered | undefined> {
  const record = bundle.readRecord();
  if (!record) {
    await unmountBelow(bundle.path);
    bundle.remove(); // nothing had been begun
    return undefined;
  }
  const task = new SupervisedTask(context, record, bundle);
  task.oomKillsTold = bundle.readOomKillsTold();
  const removed = bundle.readJournal()?.step === 'delete';
  const made = await recoverProcess(context, task.init, monitors);
  const waitsForRestore = !removed && record.restoreFrom !== undefined && made !== 'made' && bundle.isReady;
  if (waitsForRestore && made === 'failed') await undoRestore(context, task);
  // The agent that let it go may have ended before its thaw.
  if (!removed && made === 'made' && bundle.isProved && bundle.init.readStarted() === undefined) thaw(task.group);
  if (removed || (made !== 'made' && !waitsForRestore)) {
    await removeTask(context, task);
    context.log.info({ namespace: record.namespace, taskId: record.id }, 'undid what was left of a task');
    return undefined;
  }
  const execs = await recoverExecs(context, task, monitors);
  await settleCheckpoint(context, task);
  const ended = settleIfEnded(context, task, task.init);
  const phase = waitsForRestore ? 'restoring' : (ended ?? (await readPhase(context, task)));
  const startedAtMs = bundle.init.readStarted();
  return {
    task,
    found: {
      record,
      phase,
      execs,
      ...(task.init.identity ? { init: task.init.identity } : {}),
      ...(startedAtMs === undefined ? {} : { startedAtMs }),
      ...(task.init.exit ? { exit: task.init.exit } : {}),
    },
  };
}

/** Ends the restores that nobody has looked at, in whatever they are just doing: what they restored never runs. */
async function endUnproved(
  context: RuntimeContext,
  bundles: readonly Bundle[],
  monitors: readonly Running[],
): Promise<void> {
  for (const bundle of bundles) {
    try {
      const record = bundle.readRecord();
      const begun = record?.restoreFrom !== undefined && existsSync(bundle.init.sync);
      if (!begun || bundle.isProved) continue;
      const task = new SupervisedTask(context, record, bundle);
      const running = monitors.find((monitor) => monitor.folder === bundle.path)?.identity;
      const monitor = bundle.init.readIdentity('monitor') ?? running;
      if (monitor) task.init.monitor = monitor;
      await undoRestore(context, task);
    } catch (error) {
      context.log.error({ bundle: bundle.path, reason: errorMessage(error) }, 'cannot end a restore that was cut off');
    }
  }
}

async function recoverExecs(
  context: RuntimeContext,
  task: SupervisedTask,
  monitors: readonly Running[],
): Promise<readonly FoundExec[]> {
  const found: FoundExec[] = [];
  for (const record of await task.bundle.readExecs()) {
    const { execId } = record;
    const exec = new MonitoredProcess({ ...task.init.ref, execId }, task.bundle.exec(execId), record.io);
    task.execs.set(execId, exec);
    const made = await recoverProcess(context, exec, monitors);
    const ended =
      made === 'never-made' ? 'created' : settleIfEnded(context, task, exec, made === 'failed' ? 'lost' : undefined);
    found.push({
      record,
      phase: ended ?? 'running',
      ...(exec.identity ? { process: exec.identity } : {}),
      ...(exec.exit ? { exit: exec.exit } : {}),
    });
  }
  return found;
}

/** Makes good what a cut-off checkpoint left: a task that stands still, a dump that is not whole. */
async function settleCheckpoint(context: RuntimeContext, task: SupervisedTask): Promise<void> {
  const journal = task.bundle.readJournal();
  if (journal?.step !== 'checkpoint') return;
  const whole = await isWholeCheckpoint(journal.imagePath);
  if (whole && journal.exit && !task.init.alive) {
    task.init.endReason = 'Checkpointed';
    return;
  }
  if (!journal.wasPaused && readFreezer(task.group) !== undefined) thaw(task.group);
  if (!whole) await removeTree(journal.imagePath);
  task.bundle.clearJournal();
  context.log.info({ task: task.key, whole }, 'settled a checkpoint that was cut off');
}

/** Whether a process has ended, seen by its monitor or by nobody; what it ended with is then on record. */
function settleIfEnded(
  context: RuntimeContext,
  task: SupervisedTask,
  process: MonitoredProcess,
  assume?: 'lost',
): 'stopped' | 'lost' | undefined {
  const known = process.folder.readExit();
  if (known) {
    process.exit = known;
    return 'stopped';
  }
  const recorded = process.folder.readMonitorExit();
  const nobodyLeft = !process.alive && !(process.monitor && isAlive(process.monitor));
  if (!recorded && !nobodyLeft) return undefined;
  settleExit(context, task, process, recorded ?? assume ?? 'lost');
  return recorded ? 'stopped' : 'lost';
}
