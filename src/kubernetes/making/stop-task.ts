import type { Clock } from '#async/clock.ts';
import { NotFoundError, RunletError } from '#errors/errors.ts';
import type { Task } from '#task/task.ts';

export interface StopOptions {
  readonly clock: Clock;
  /** Number of the signal that asks it to end. */
  readonly stopSignal: number;
  /** From that signal until KILL. */
  readonly graceMs: number;
  readonly signal?: AbortSignal;
}

const killSignal = 9;

/**
 * Ends a task: what is frozen is thawed, then its stop signal, the grace period, KILL. One that was never started is killed at
 * once. Returns when it has ended; that it ended meanwhile is success.
 */
export async function stopTask(task: Task, options: StopOptions): Promise<void> {
  const { clock, stopSignal, graceMs, signal } = options;
  const abort = signal ? { signal } : {};
  if (task.exit) return;
  if (task.status === 'created' || graceMs <= 0 || stopSignal === killSignal) return await kill(task, abort);
  await send(task, stopSignal);
  // The signal waits for it: whatever it does about it, it does at once.
  if (task.status === 'paused') await task.resume(abort).catch(unlessEnded);
  const late = Promise.withResolvers<'late'>();
  const cancel = clock.after(graceMs, () => late.resolve('late'));
  try {
    if ((await Promise.race([task.wait(abort), late.promise])) === 'late') await kill(task, abort);
  } finally {
    cancel();
  }
}

async function kill(task: Task, abort: { readonly signal?: AbortSignal }): Promise<void> {
  await send(task, killSignal);
  await task.wait(abort);
}

async function send(task: Task, signal: number): Promise<void> {
  await task.kill(signal).catch(unlessEnded);
}

function unlessEnded(error: unknown): void {
  const over = error instanceof NotFoundError || (error instanceof RunletError && error.code === 'failed-precondition');
  if (!over) throw error;
}
