import { CancelledError, TerminalError } from '#errors/errors.ts';
import { remountReadOnly } from '#host/mounts.ts';
import type { RuntimeContext } from '../context.ts';
import { emptyCgroup, undoRestore } from '../remove.ts';
import type { SupervisedTask } from '../supervised-task.ts';
import { RestoreGate } from './gate.ts';
import { endHelpers } from './helpers.ts';
import { readMountFacts } from './mount-facts.ts';
import { lostReadOnly } from './mount-rules.ts';
import { findViolations, type Violation } from './proof.ts';

/** How often to look whether everything stands still. */
const lookMs = 2;

/** Lets the runtime restore it: resolves when its processes go on. */
type Restore = (options: {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}) => Promise<void>;

/**
 * Restores a task, but lets none of its processes run an instruction before each of them, with all its threads, has been found
 * within the task's own specification. Throws TerminalError (`RestoreRefused`) that names process and field; then, as after
 * every failure, what was restored has been killed where it stood and the task waits for its start again.
 */
export async function restoreTask(
  context: RuntimeContext,
  task: SupervisedTask,
  restore: Restore,
  signal?: AbortSignal,
): Promise<void> {
  const giveUp = new AbortController();
  try {
    signal?.throwIfAborted();
    using gate = await RestoreGate.make(context, task);
    const restored = restore({ env: gate.env, signal: giveUp.signal });
    restored.catch(() => {});
    try {
      await passGate(context, task, { gate, restored, signal });
    } catch (error) {
      // First the processes, where they stand: CRIU lets go of them when it ends.
      await emptyCgroup(context, task);
      await endHelpers(context, task);
      giveUp.abort(error);
      await restored.catch(() => {});
      throw error;
    }
    await endHelpers(context, task);
  } catch (error) {
    await undoRestore(context, task);
    throw error;
  }
}

interface Passing {
  readonly gate: RestoreGate;
  readonly restored: Promise<void>;
  readonly signal: AbortSignal | undefined;
}

async function passGate(
  context: RuntimeContext,
  task: SupervisedTask,
  { gate, restored, signal }: Passing,
): Promise<void> {
  const pid = await heldPid(context, { gate, restored, signal });
  if (pid === undefined) {
    throw new TerminalError(
      'RestoreRefused',
      `${task.command.program} or its criu did not hold the processes of task ${task.key}: nothing proves what they may do`,
    );
  }
  const spec = task.bundle.readSpec();
  const rootfs = task.record.rootfs.length > 0 ? task.bundle.rootfs : (spec.root?.path ?? '');
  for (const place of lostReadOnly(spec, readMountFacts({ pid, rootfs }))) await remountReadOnly(pid, place);
  const violations = findViolations({ spec, group: task.group, pid, rootfs });
  if (violations.length > 0) throw refusal(violations);
  gate.open();
  await restored;
}

/** Undefined when the restore came to an end without having been held. */
async function heldPid(context: RuntimeContext, { gate, restored, signal }: Passing): Promise<number | undefined> {
  let over = false;
  const end = restored.finally(() => (over = true));
  end.catch(() => {});
  for (;;) {
    const pid = gate.heldPid;
    if (pid !== undefined) return pid;
    if (signal?.aborted) throw new CancelledError('the restore was given up', { cause: signal.reason });
    if (over) {
      await restored; // says why it failed
      return undefined;
    }
    await Promise.race([end, context.clock.sleep(lookMs)]);
  }
}

/** At most this many are told: a condition's message is to be read. */
const mostTold = 5;

function refusal(violations: readonly Violation[]): TerminalError {
  const told = violations.slice(0, mostTold).map(({ whom, field, what }) => `${whom}: ${field} ${what}`);
  const more = violations.length > mostTold ? ` and ${violations.length - mostTold} more` : '';
  return new TerminalError(
    'RestoreRefused',
    `what was restored has rights that the task has not, and was killed before it ran: ${told.join('; ')}${more}`,
  );
}
