import type { Clock } from '#async/clock.ts';
import type { EventBus } from './events.ts';
import type { Verb } from './state.ts';

/** A verb of the Task interface that has come to its end, for those who measure. */
export interface Operation {
  readonly verb: 'create' | Exclude<Verb, 'exited'>;
  readonly durationMs: number;
  /** What it threw; absent when it worked. */
  readonly error?: unknown;
}

/** Runs a verb and tells how long it took, its turn under the task's lock included, and whether it failed. */
export async function observed<T>(
  context: { readonly operations: EventBus<Operation>; readonly clock: Clock },
  verb: Operation['verb'],
  work: () => Promise<T>,
): Promise<T> {
  const { operations, clock } = context;
  const startedAt = clock.monotonicMs();
  const ended = (failure: Pick<Operation, 'error'>) =>
    operations.publish({ verb, durationMs: clock.monotonicMs() - startedAt, ...failure });
  try {
    const result = await work();
    ended({});
    return result;
  } catch (error) {
    ended({ error });
    throw error;
  }
}
