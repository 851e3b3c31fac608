import { TaskGroup } from '#async/task-group.ts';
import type { Log } from '#log/log.ts';
import type { WorkQueue } from './work-queue.ts';

/** What the work on a key came to. */
export interface Worked {
  /** Milliseconds until the key is to be looked at again although nobody says so; absent: only when something changes. */
  readonly againAfterMs?: number;
}

export interface ControllerOptions {
  readonly queue: WorkQueue;
  readonly log: Log;
  /** How many keys are worked on at once. */
  readonly workers: number;
  /** Makes the world as the key's object asks, as far as it can be now. What it throws is logged, and the key is tried again. */
  readonly work: (key: string, signal: AbortSignal) => Promise<Worked>;
}

/** Level-triggered work on keys: whoever thinks that something changed adds its key, and the work looks at what is. */
export class Controller implements AsyncDisposable {
  readonly #options: ControllerOptions;
  readonly #abort = new AbortController();
  readonly #workers: TaskGroup;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#workers = new TaskGroup((error) => options.log.error({ err: error }, 'a worker of the controller failed'));
  }

  /** Begins to work. Once. */
  start(): void {
    for (let n = 0; n < this.#options.workers; n += 1) this.#workers.spawn(() => this.#workOn());
  }

  /** Gives up work that is under way and returns when all of it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('the agent is stopping'));
    this.#options.queue[Symbol.dispose]();
    await this.#workers[Symbol.asyncDispose]();
  }

  async #workOn(): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      await this.#once(key);
      queue.done(key);
    }
  }

  async #once(key: string): Promise<void> {
    const { queue, work, log } = this.#options;
    try {
      const { againAfterMs } = await work(key, this.#abort.signal);
      queue.succeeded(key);
      if (againAfterMs !== undefined) queue.addAfter(key, againAfterMs);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const retryMs = Math.round(queue.retry(key));
      log.warn({ object: key, err: error, retryMs }, 'cannot make an object as it asks to be; trying again');
    }
  }
}
