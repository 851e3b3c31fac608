import type { Mutex } from '#async/mutex.ts';
import { FailedPreconditionError } from '#errors/errors.ts';
import type { TaskContext } from './context.ts';
import { lostExit, neverRanExit } from './exits.ts';
import { refKey, type ExecId, type TaskRef } from './ids.ts';
import { observed } from './operations.ts';
import { Process } from './process.ts';
import type { Cancellable, ExecRecord, Exit, ProcessRef } from './runtime.ts';
import { followExec, type ExecPhase, type Status, type Verb } from './state.ts';

/** What an exec needs of its task. */
export interface ExecHost {
  readonly ref: TaskRef;
  /** The lock of everything that changes the task. */
  readonly lock: Mutex;
  status(): Status;
  /** Throws FailedPreconditionError when the task is in no state to begin another process. */
  checkMayStart(): void;
  /** A process of the task has ended. */
  ended(): void;
  /** The exec's id is free again. */
  forget(execId: ExecId): void;
}

/** What is known of an exec when it is made or found. */
export interface ExecState {
  readonly record: ExecRecord;
  readonly phase: ExecPhase;
  readonly pid?: number;
  readonly exit?: Exit;
}

/** A process that exec added to a task. */
export class ExecProcess extends Process {
  readonly ref: ProcessRef;
  readonly execId: ExecId;
  readonly record: ExecRecord;
  readonly #host: ExecHost;
  #phase: ExecPhase;
  #starting = false;

  constructor(context: TaskContext, host: ExecHost, state: ExecState) {
    super(context, { io: state.record.io, pid: state.pid ?? 0, exit: state.exit });
    this.execId = state.record.execId;
    this.ref = { ...host.ref, execId: this.execId };
    this.record = state.record;
    this.#host = host;
    this.#phase = state.phase;
  }

  get phase(): ExecPhase {
    return this.#phase;
  }

  /** What clients see: while the container as a whole is paused, so is every exec. */
  get status(): Status {
    const whole = this.#host.status();
    return whole === 'paused' || whole === 'pausing' ? whole : this.#phase;
  }

  /** Whether it has a process, or may have one in a moment. */
  get live(): boolean {
    return this.#phase === 'running' || (this.#starting && this.#phase === 'created');
  }

  /** Runs it; returns its pid. Throws FailedPreconditionError unless it is created and its task can run it, else as the runtime. */
  start({ signal }: Cancellable = {}): Promise<number> {
    return observed(this.context, 'start', () => this.#start(signal));
  }

  async #start(signal: AbortSignal | undefined): Promise<number> {
    using _lock = await this.#host.lock.acquire(signal);
    this.check('start');
    this.#host.checkMayStart();
    this.#starting = true;
    try {
      using _hold = this.notices.hold();
      const { pid } = await this.context.runtime.startExec(this.#host.ref, this.execId, signal ? { signal } : {});
      // Given up meanwhile, because the task's first process ended long before: told of as lost already.
      if (this.exit) throw new FailedPreconditionError(`container ${this.ref.id} init process is not running`);
      this.began(pid);
      this.#phase = 'running';
      this.publish({ topic: '/tasks/exec-started', execId: this.execId, pid });
      return pid;
    } finally {
      this.#starting = false;
      this.#host.ended();
    }
  }

  /** Sends a signal. Throws FailedPreconditionError before the start, NotFoundError after the end. */
  kill(signal: number): Promise<void> {
    return observed(this.context, 'kill', async () => {
      this.check('kill');
      await this.signal(signal);
    });
  }

  /** Forgets it and frees its id. One that never started answers 0; a running one is refused. */
  delete({ signal }: Cancellable = {}): Promise<Exit> {
    return observed(this.context, 'delete', () => this.#delete(signal));
  }

  async #delete(signal: AbortSignal | undefined): Promise<Exit> {
    using _lock = await this.#host.lock.acquire(signal);
    this.check('delete');
    await this.context.runtime.deleteExec(this.#host.ref, this.execId);
    this.#host.forget(this.execId);
    return this.dropped();
  }

  /** Its record is gone, by itself or with its task; those who still wait for one that never ran are answered 0. */
  dropped(): Exit {
    this.#phase = 'deleted';
    const exit = this.exit ?? neverRanExit(this.context.clock.nowMs());
    if (!this.exit) this.settle(exit, () => {});
    return exit;
  }

  /** The runtime tells of its end. */
  exited(exit: Exit): void {
    this.notices.tell(() => this.#ended(exit));
  }

  /** Its end was not told in time. */
  giveUp(): void {
    this.#ended(lostExit(this.context.clock.nowMs()));
  }

  /** The agent lets go of it. */
  override letGo(reason: Error): void {
    super.letGo(reason);
  }

  protected get name(): string {
    return `${refKey(this.#host.ref)}/${this.execId}`;
  }

  protected check(verb: Verb): void {
    followExec(this.#phase, verb, this.name);
  }

  #ended(exit: Exit): void {
    if (this.exit) return;
    this.#phase = followExec(this.#phase, 'exited', this.name);
    const { pid, execId } = this;
    this.settle(exit, () =>
      this.publish({ topic: '/tasks/exit', id: execId, pid, exitStatus: exit.status, exitedAtMs: exit.atMs }),
    );
    this.#host.ended();
  }
}
