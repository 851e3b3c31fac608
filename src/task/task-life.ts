import { Mutex } from '#async/mutex.ts';
import { FailedPreconditionError } from '#errors/errors.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { TaskContext } from './context.ts';
import { toEventIo } from './event-io.ts';
import type { ExecState } from './exec-process.ts';
import { ExecSet } from './exec-set.ts';
import { killedExit, killSignal, lostExit } from './exits.ts';
import { refKey, type ExecId, type TaskId, type TaskRef } from './ids.ts';
import { InitEnd } from './init-end.ts';
import { KeptStats } from './kept-stats.ts';
import { observed } from './operations.ts';
import { Process } from './process.ts';
import type { Cancellable, Exit, TaskRecord } from './runtime.ts';
import { follow, toStatus, type Phase, type Status, type Verb } from './state.ts';

/** How long a KILL of a task that was never started may take to be told. */
const killPatienceMs = 10_000;

/** What is known of a task when it is made or found. */
export interface TaskState {
  readonly record: TaskRecord;
  readonly phase: Phase;
  readonly pid?: number;
  readonly startedAtMs?: number;
  readonly exit?: Exit;
  readonly execs?: readonly ExecState[];
}

/** A task's beginning and end, its phase and what the runtime tells of it: the part that its manager deals with. */
export abstract class TaskLife extends Process {
  readonly ref: TaskRef;
  readonly record: TaskRecord;
  protected currentPhase: Phase;
  protected readonly execSet: ExecSet;
  protected readonly keptStats: KeptStats;
  readonly #lock = new Mutex();
  readonly #end: InitEnd;
  #oomKills = 0;

  constructor(context: TaskContext, state: TaskState) {
    super(context, { io: state.record.io, pid: state.pid ?? 0, exit: state.exit });
    const { namespace, id } = state.record;
    this.ref = { namespace, id };
    this.record = state.record;
    this.currentPhase = state.phase;
    this.keptStats = new KeptStats(context.runtime, this.ref);
    this.execSet = new ExecSet(context, {
      ref: this.ref,
      lock: this.#lock,
      status: () => this.status,
      checkMayStart: () => this.#checkMayStartExec(),
      ended: () => this.#end.check(),
    });
    this.#end = new InitEnd(context.clock, {
      hasLiveExecs: () => this.execSet.live.length > 0,
      giveUpExecs: () => this.execSet.giveUp(),
      end: (exit) => this.#ended(exit),
    });
    for (const exec of state.execs ?? []) this.execSet.add(exec);
  }

  get id(): TaskId {
    return this.ref.id;
  }

  get phase(): Phase {
    return this.currentPhase;
  }

  /** What clients see; `pausing` while a pause is under way. */
  get status(): Status {
    return toStatus(this.currentPhase);
  }

  /** Whether it was created from a checkpoint and is not started: it has no process. */
  get restoring(): boolean {
    return this.currentPhase === 'restoring';
  }

  /** Out-of-memory kills that this agent was told of. */
  get oomKills(): number {
    return this.#oomKills;
  }

  /**
   * Lets the runtime make it; `made` is called before anybody is told. For the manager, once. When it throws, nothing is left,
   * nobody is told of anything, and the task is of no use.
   */
  async create(spec: RuntimeSpec, { signal }: Cancellable, made: () => void): Promise<void> {
    const { context, record } = this;
    // Given back only when it is made: of a task that was never made no end is told either.
    const hold = this.notices.hold();
    const process = await context.runtime.create(record, spec, signal ? { signal } : {});
    this.began(process?.pid ?? 0);
    made();
    this.publish({
      topic: '/tasks/create',
      bundle: context.runtime.bundlePath?.(this.ref) ?? '',
      rootfs: record.rootfs,
      io: toEventIo(record.io),
      checkpoint: record.restoreFrom ?? '',
      pid: this.pid,
    });
    hold[Symbol.dispose]();
  }

  /**
   * Removes it with its execs; `free` is called when nothing of it is left. One that was never started is killed first. For
   * the manager. Throws FailedPreconditionError while it runs; after a failure it can be tried again.
   */
  async delete({ signal }: Cancellable, free: () => void): Promise<Exit> {
    using _lock = await this.#lock.acquire(signal);
    if (this.#end.known) await this.settled();
    const next = this.follow('delete');
    if (!this.exit) await this.#endUnstarted();
    const exit = await this.settled();
    await this.context.runtime.delete(this.ref);
    this.currentPhase = next;
    this.keptStats[Symbol.dispose]();
    this.execSet.drop();
    free();
    this.publish({ topic: '/tasks/delete', pid: this.pid, exitStatus: exit.status, exitedAtMs: exit.atMs });
    return exit;
  }

  /** The runtime tells of the end of the first process, or of the exec's. For the manager. */
  exited(execId: ExecId | undefined, exit: Exit): void {
    if (execId !== undefined) this.execSet.exited(execId, exit);
    else this.notices.tell(() => this.#end.ended(exit));
  }

  /** The runtime tells of an out-of-memory kill; after the end it counts for nothing. For the manager. */
  outOfMemory(): void {
    this.notices.tell(() => {
      if (this.exit) return;
      this.#oomKills += 1;
      this.publish({ topic: '/tasks/oom' });
    });
  }

  /** Ends all waiting and closes what is open because the agent leaves; the task runs on. For the manager. */
  override letGo(reason: Error): void {
    super.letGo(reason);
    this.execSet.letGo(reason);
    this.#end[Symbol.dispose]();
    this.keptStats[Symbol.dispose]();
  }

  protected get name(): string {
    return refKey(this.ref);
  }

  /** The phase by what is known: an end that waits for those of the execs has happened all the same. */
  protected get knownPhase(): Phase {
    return this.#end.known && this.currentPhase !== 'deleted' ? 'stopped' : this.currentPhase;
  }

  /** Where the verb leads. Throws where the table does not allow it. */
  protected follow(verb: Verb): Phase {
    return follow(this.knownPhase, verb, this.name);
  }

  protected check(verb: Verb): void {
    this.follow(verb);
  }

  /** Runs a verb that changes the task: alone, and only if the table allows it when its turn has come. */
  protected change<T>(
    verb: Exclude<Verb, 'exited'>,
    signal: AbortSignal | undefined,
    act: (next: Phase) => Promise<T>,
  ): Promise<T> {
    return observed(this.context, verb, () => this.inTurn(verb, signal, act));
  }

  /** The same as a part of a verb that is measured as a whole. */
  protected async inTurn<T>(verb: Verb, signal: AbortSignal | undefined, act: (next: Phase) => Promise<T>): Promise<T> {
    using _lock = await this.#lock.acquire(signal);
    return await act(this.follow(verb));
  }

  /** Ends a task that has no process to send a signal to. */
  protected endAsKilled(): void {
    this.#end.ended(killedExit(this.context.clock.nowMs()));
  }

  async #endUnstarted(): Promise<void> {
    if (this.restoring) {
      this.endAsKilled();
      return;
    }
    const { clock, runtime } = this.context;
    await runtime.kill(this.ref, killSignal);
    const cancel = clock.after(killPatienceMs, () => this.#end.ended(lostExit(clock.nowMs())));
    try {
      await this.settled();
    } finally {
      cancel();
    }
  }

  #checkMayStartExec(): void {
    if (this.knownPhase === 'stopped') {
      throw new FailedPreconditionError(
        `container ${this.id} init process is not running: task ${this.name} is stopped`,
      );
    }
    this.follow('exec');
  }

  #ended(exit: Exit): void {
    this.currentPhase = follow(this.currentPhase, 'exited', this.name);
    this.keptStats[Symbol.dispose]();
    const { id, pid } = this;
    this.settle(exit, () =>
      this.publish({ topic: '/tasks/exit', id, pid, exitStatus: exit.status, exitedAtMs: exit.atMs }),
    );
  }
}
