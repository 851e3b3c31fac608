import type { Clock } from '#async/clock.ts';
import { AlreadyExistsError, NotFoundError, UnavailableError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { TaskContext } from './context.ts';
import { EventBus, type TaskEvent } from './events.ts';
import { refKey, type Namespace, type TaskRef } from './ids.ts';
import { observed, type Operation } from './operations.ts';
import { planAdoption } from './recover.ts';
import type { Cancellable, Exit, FoundTask, ProcessRef, Runtime, RuntimeListener } from './runtime.ts';
import { Task } from './task.ts';
import { toTaskRecord, type CreateTask, type TaskDefaults } from './task-record.ts';

export type { CreateTask } from './task-record.ts';

export interface TaskManagerOptions extends TaskDefaults {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
}

/** A name in use, with its task; one that is being created is not shown to anybody yet. */
interface Entry {
  readonly task: Task;
  made: boolean;
}

/** All tasks of the node, by namespace and id. An id is taken from the beginning of a create to the end of a delete. */
export class TaskManager implements AsyncDisposable {
  readonly events: EventBus<TaskEvent>;
  /** Every verb of a task or process that has come to its end, with its duration. */
  readonly operations: EventBus<Operation>;
  readonly #context: TaskContext;
  readonly #defaults: TaskDefaults;
  readonly #entries = new Map<string, Entry>();
  /** What the runtime tells while its findings are not taken on yet. */
  #early: (() => void)[] | undefined;
  #closed = false;

  constructor(options: TaskManagerOptions) {
    const { runtime, clock, log } = options;
    this.events = new EventBus((error) => log.error({ err: error }, 'a listener to task events failed'));
    this.operations = new EventBus((error) => log.error({ err: error }, 'a listener to operations failed'));
    this.#context = { runtime, clock, log, events: this.events, operations: this.operations };
    this.#defaults = options;
  }

  /** Takes on every task that the runtime finds. To be called once, before anything else; those who listen hear of lost tasks. */
  async recover({ signal }: Cancellable = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#early = [];
    const found = await this.#context.runtime.recover(this.#listener());
    for (const one of found) await this.#adopt(one);
    const early = this.#early;
    this.#early = undefined;
    for (const notice of early) notice();
  }

  /** Makes a task, which then waits for its start. Throws AlreadyExistsError for an id that is taken, else as the runtime. */
  create(request: CreateTask, options: Cancellable = {}): Promise<Task> {
    return observed(this.#context, 'create', () => this.#create(request, options));
  }

  async #create(request: CreateTask, options: Cancellable): Promise<Task> {
    this.#refuseWhenClosed();
    const record = toTaskRecord(request, this.#defaults, this.#context.clock.nowMs());
    this.#refuseTaken(record);
    const key = refKey(record);
    const task = new Task(this.#context, { record, phase: record.restoreFrom === undefined ? 'created' : 'restoring' });
    const entry: Entry = { task, made: false };
    this.#entries.set(key, entry);
    try {
      await task.create(request.spec, options, () => {
        entry.made = true;
      });
    } finally {
      if (!entry.made) this.#entries.delete(key);
    }
    return task;
  }

  /** Throws NotFoundError. */
  get(ref: TaskRef): Task {
    const task = this.find(ref);
    if (!task) throw new NotFoundError(`task ${ref.id} not found`);
    return task;
  }

  find(ref: TaskRef): Task | undefined {
    const entry = this.#entries.get(refKey(ref));
    return entry?.made ? entry.task : undefined;
  }

  /** All tasks, or those of a namespace, in no particular order. */
  list(namespace?: Namespace): readonly Task[] {
    return [...this.#entries.values()]
      .filter(({ task, made }) => made && (namespace === undefined || task.namespace === namespace))
      .map(({ task }) => task);
  }

  /**
   * Removes a task that has ended or was never started; the latter is killed first and answers 137. The id is free once
   * nothing is left, just before the event. Throws NotFoundError, and FailedPreconditionError while it runs.
   */
  delete(ref: TaskRef, options: Cancellable = {}): Promise<Exit> {
    return observed(this.#context, 'delete', () => this.#delete(ref, options));
  }

  async #delete(ref: TaskRef, options: Cancellable): Promise<Exit> {
    this.#refuseWhenClosed();
    const task = this.get(ref);
    return await task.delete(options, () => void this.#entries.delete(refKey(ref)));
  }

  /**
   * Lets go of everything; the tasks run on, and another agent finds them. Who still waits gets UnavailableError. Verbs that
   * are under way are the callers' to end before.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { task } of this.#entries.values()) {
      task.letGo(new UnavailableError(`the agent is stopping; task ${refKey(task.ref)} runs on`));
    }
    await this.#context.runtime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #listener(): RuntimeListener {
    return {
      exited: (process, exit) => this.#tell(process, (task) => task.exited(process.execId, exit)),
      outOfMemory: (ref) => this.#tell(ref, (task) => task.outOfMemory()),
    };
  }

  #tell(ref: ProcessRef, notice: (task: Task) => void): void {
    if (this.#closed) return;
    if (this.#early) this.#early.push(() => this.#tell(ref, notice));
    else {
      const entry = this.#entries.get(refKey(ref));
      if (entry) notice(entry.task);
    }
  }

  async #adopt(found: FoundTask): Promise<void> {
    const { clock, log } = this.#context;
    const { namespace, id } = found.record;
    const adoption = planAdoption(found, clock.nowMs());
    if (!adoption) {
      await this.#undo({ namespace, id });
      return;
    }
    const task = new Task(this.#context, adoption.state);
    this.#entries.set(refKey(found.record), { task, made: true });
    for (const { execId, exit } of adoption.untold) task.exited(execId, exit);
    log.info({ namespace, taskId: id, phase: found.phase, pid: task.pid }, 'found a task');
  }

  /** What is left of a create that was cut off is in nobody's way but the next one's of that id: it does not stop the agent. */
  async #undo(ref: TaskRef): Promise<void> {
    try {
      await this.#context.runtime.delete(ref);
    } catch (error) {
      this.#context.log.warn({ ...ref, err: error }, 'cannot remove what is left of a create that was cut off');
    }
  }

  #refuseTaken(ref: TaskRef): void {
    const entry = this.#entries.get(refKey(ref));
    if (!entry) return;
    const state = entry.made ? entry.task.status : 'being created';
    throw new AlreadyExistsError(`task ${ref.id}: already exists: task ${refKey(ref)} is ${state}`);
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new UnavailableError('the agent is stopping');
  }
}
