import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { EventBus, TaskEvent } from './events.ts';
import type { Operation } from './operations.ts';
import type { Runtime } from './runtime.ts';

/** What every task and process of the core works with. */
export interface TaskContext {
  readonly runtime: Runtime;
  readonly events: EventBus<TaskEvent>;
  /** Hears of every verb that has come to its end. */
  readonly operations: EventBus<Operation>;
  readonly clock: Clock;
  readonly log: Log;
}
