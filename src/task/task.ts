import { Mutex } from '#async/mutex.ts';
import type { TaskStats } from '#cgroup/stats.ts';
import { AlreadyExistsError, FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import type { LinuxResources, ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { TaskContext } from './context.ts';
import type { ExecProcess, ExecState } from './exec-process.ts';
import { ExecSet } from './exec-set.ts';
import { killedExit, killSignal, lostExit } from './exits.ts';
import { refKey, type ExecId, type Namespace, type TaskId, type TaskRef } from './ids.ts';
import { InitEnd } from './init-end.ts';
import type { ProcessIo } from './io.ts';
import { KeptStats } from './kept-stats.ts';
import { Process } from './process.ts';
import type { Cancellable, CheckpointOptions, Exit, TaskRecord } from './runtime.ts';
import { follow, toStatus, type Phase, type Status, type Verb } from './state.ts';

/** How long a KILL of a task that was never started may take to be told. */
const killPatienceMs = 10_000;

/** A process of a task's cgroup; with an exec's id where it is the main process of one. */
export interface ProcessInfo {
  readonly pid: number;
  readonly execId?: ExecId;
}

/** What is known of a task when it is made or found. */
export interface TaskState {
  readonly record: TaskRecord;
  readonly phase: Phase;
  readonly pid?: number;
  readonly startedAtMs?: number;
  readonly exit?: Exit;
  readonly execs?: readonly ExecState[];
}

/**
 * A task: containerd's word for a container's processes. Verbs that change it run one after another under its lock: the
 * transition table is asked, the runtime acts, then the new phase is stored and told; what fails leaves the phase as it was.
 * Throws what the table says (FailedPreconditionError, NotFoundError), CancelledError when `signal` aborts before the turn
 * comes, and what the runtime throws.
 */
export class Task extends Process {
  readonly ref: TaskRef;
  readonly record: TaskRecord;
  readonly #lock = new Mutex();
  readonly #execs: ExecSet;
  readonly #stats: KeptStats;
  readonly #end: InitEnd;
  #phase: Phase;
  #startedAtMs: number | undefined;
  #oomKills = 0;

  constructor(context: TaskContext, state: TaskState) {
    super(context, { io: state.record.io, pid: state.pid ?? 0, exit: state.exit });
    const { namespace, id } = state.record;
    this.ref = { namespace, id };
    this.record = state.record;
    this.#phase = state.phase;
    this.#startedAtMs = state.startedAtMs;
    this.#stats = new KeptStats(context.runtime, this.ref);
    this.#execs = new ExecSet(context, {
      ref: this.ref,
      lock: this.#lock,
      status: () => this.status,
      checkMayStart: () => this.#checkMayStartExec(),
      ended: () => this.#end.check(),
    });
    this.#end = new InitEnd(context.clock, {
      hasLiveExecs: () => this.#execs.live.length > 0,
      giveUpExecs: () => this.#execs.giveUp(),
      end: (exit) => this.#ended(exit),
    });
    for (const exec of state.execs ?? []) this.#execs.add(exec);
  }

  get namespace(): Namespace {
    return this.ref.namespace;
  }

  get id(): TaskId {
    return this.ref.id;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** What clients see; `pausing` while a pause is under way. */
  get status(): Status {
    return toStatus(this.#phase);
  }

  /** Whether it was created from a checkpoint and is not started: it has no process. */
  get restoring(): boolean {
    return this.#phase === 'restoring';
  }

  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  /** Out-of-memory kills that this agent was told of. */
  get oomKills(): number {
    return this.#oomKills;
  }

  get execs(): readonly ExecProcess[] {
    return this.#execs.all;
  }

  /** The task itself, or the exec with this id. Throws NotFoundError. */
  process(execId?: ExecId): Task | ExecProcess {
    return execId === undefined ? this : this.#execs.get(execId);
  }

  /** Lets the created process run its command, or restores it; returns its pid. */
  start({ signal }: Cancellable = {}): Promise<number> {
    return this.#change('start', signal, async (next) => {
      // A process that ends within a millisecond is told of after its start.
      using _hold = this.notices.hold();
      const { pid } = await this.context.runtime.start(this.ref, signal ? { signal } : {});
      this.began(pid);
      this.#startedAtMs = this.context.clock.nowMs();
      this.#phase = next;
      this.publish({ topic: '/tasks/start', pid });
      return pid;
    });
  }

  /** Freezes every process of the task. Throws FailedPreconditionError when it ends meanwhile. */
  pause({ signal }: Cancellable = {}): Promise<void> {
    return this.#change('pause', signal, async (next) => {
      const before = this.#phase;
      this.#phase = 'pausing';
      try {
        await this.context.runtime.pause(this.ref, signal ? { signal } : {});
      } finally {
        // It may have ended while it was being frozen.
        if (this.phase === 'pausing') this.#phase = before;
      }
      this.check('pause');
      this.#phase = next;
      this.publish({ topic: '/tasks/paused' });
    });
  }

  resume({ signal }: Cancellable = {}): Promise<void> {
    return this.#change('resume', signal, async (next) => {
      // What a signal ends as soon as it moves again is told of after the resume.
      using _hold = this.notices.hold();
      await this.context.runtime.resume(this.ref, signal ? { signal } : {});
      this.#phase = next;
      this.publish({ topic: '/tasks/resumed' });
    });
  }

  /**
   * Sends a signal to the first process or, with `all`, to every process of the task; 0 only asks. All of a stopped task is
   * nobody, which is no error. A KILL ends a task that waits to be restored, although it has no process yet.
   */
  async kill(signal: number, { all = false }: { readonly all?: boolean } = {}): Promise<void> {
    if (all && this.#phase === 'stopped') return;
    follow(all ? this.#phase : this.#known, 'kill', this.name);
    if (this.restoring) {
      if (signal === killSignal) this.#end.ended(killedExit(this.context.clock.nowMs()));
    } else if (!all) {
      await this.signal(signal);
    } else if (signal !== 0) {
      await this.context.runtime.killAll(this.ref, signal);
    }
  }

  /** Adds a process, which `start` on it runs. Throws AlreadyExistsError for an id that is in use. */
  exec(
    execId: ExecId,
    exec: { readonly process: ProcessSpec; readonly io: ProcessIo },
    { signal }: Cancellable = {},
  ): Promise<ExecProcess> {
    return this.#change('exec', signal, async () => {
      if (this.#execs.has(execId)) throw new AlreadyExistsError(`id ${execId}: already exists: in task ${this.name}`);
      using _hold = this.notices.hold();
      const record = { execId, process: exec.process, io: exec.io };
      await this.context.runtime.addExec(this.ref, record);
      const added = this.#execs.add({ record, phase: 'created' });
      this.publish({ topic: '/tasks/exec-added', execId });
      return added;
    });
  }

  /** The processes of the task's cgroup; none after its end. Throws NotFoundError after its delete. */
  async pids(): Promise<readonly ProcessInfo[]> {
    if (this.#phase === 'deleted') throw new NotFoundError(`task ${this.id} not found`);
    if (this.exit || this.restoring) return [];
    const execs = this.#execs.byPid();
    const pids = await this.context.runtime.pids(this.ref);
    return pids.map((pid) => {
      const execId = execs.get(pid);
      return execId === undefined ? { pid } : { pid, execId };
    });
  }

  /** Changes the task's limits. */
  update(resources: LinuxResources, { signal }: Cancellable = {}): Promise<void> {
    return this.#change('update', signal, () =>
      this.context.runtime.update(this.ref, resources, signal ? { signal } : {}),
    );
  }

  /** Dumps the task's processes; with `exit` its end follows, with reason Checkpointed, after the event of the checkpoint. */
  checkpoint(options: CheckpointOptions, { signal }: Cancellable = {}): Promise<void> {
    return this.#change('checkpoint', signal, async () => {
      using _hold = this.notices.hold();
      await this.context.runtime.checkpoint(this.ref, options, signal ? { signal } : {});
      this.publish({ topic: '/tasks/checkpointed', checkpoint: options.imagePath });
    });
  }

  /** Reads the task's cgroup at once, without the lock; undefined without a process. The files stay open until its end. */
  stats(): TaskStats | undefined {
    return this.#end.known || this.exit || this.restoring || this.#phase === 'deleted' ? undefined : this.#stats.read();
  }

  /**
   * Lets the runtime make it; `made` is called before anybody is told. For the manager, once. When it throws, nothing is left,
   * nobody is told of anything, and the task is of no use.
   */
  async create(spec: RuntimeSpec, { signal }: Cancellable, made: () => void): Promise<void> {
    const { context, record } = this;
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
    const next = this.#follow('delete');
    if (!this.exit) await this.#endUnstarted();
    const exit = await this.settled();
    await this.context.runtime.delete(this.ref);
    this.#phase = next;
    this.#execs.drop();
    this.#stats[Symbol.dispose]();
    free();
    this.publish({ topic: '/tasks/delete', pid: this.pid, exitStatus: exit.status, exitedAtMs: exit.atMs });
    return exit;
  }

  /** The runtime tells of the end of the first process, or of the exec's. For the manager. */
  exited(execId: ExecId | undefined, exit: Exit): void {
    if (execId !== undefined) this.#execs.exited(execId, exit);
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
    this.#execs.letGo(reason);
    this.#end[Symbol.dispose]();
    this.#stats[Symbol.dispose]();
  }

  protected get name(): string {
    return refKey(this.ref);
  }

  protected check(verb: Verb): void {
    this.#follow(verb);
  }

  /** The phase by what is known: an end that waits for the execs' has happened all the same. */
  get #known(): Phase {
    return this.#end.known && this.#phase !== 'deleted' ? 'stopped' : this.#phase;
  }

  #follow(verb: Verb): Phase {
    return follow(this.#known, verb, this.name);
  }

  async #change<T>(verb: Verb, signal: AbortSignal | undefined, act: (next: Phase) => Promise<T>): Promise<T> {
    using _lock = await this.#lock.acquire(signal);
    return await act(this.#follow(verb));
  }

  async #endUnstarted(): Promise<void> {
    const { clock, runtime } = this.context;
    if (this.restoring) {
      this.#end.ended(killedExit(clock.nowMs()));
      return;
    }
    await runtime.kill(this.ref, killSignal);
    const cancel = clock.after(killPatienceMs, () => this.#end.ended(lostExit(clock.nowMs())));
    try {
      await this.settled();
    } finally {
      cancel();
    }
  }

  #checkMayStartExec(): void {
    if (this.#known === 'stopped') {
      throw new FailedPreconditionError(
        `container ${this.id} init process is not running: task ${this.name} is stopped`,
      );
    }
    this.#follow('exec');
  }

  #ended(exit: Exit): void {
    this.#phase = follow(this.#phase, 'exited', this.name);
    this.#stats[Symbol.dispose]();
    const { id, pid } = this;
    this.settle(exit, () =>
      this.publish({ topic: '/tasks/exit', id, pid, exitStatus: exit.status, exitedAtMs: exit.atMs }),
    );
  }
}

/** The streams as containerd's event has them: paths, empty where there is none. */
function toEventIo(io: ProcessIo): { stdin: string; stdout: string; stderr: string; terminal: boolean } {
  const none = { stdin: '', stdout: '', stderr: '', terminal: io.terminal };
  switch (io.kind) {
    case 'fifo':
      return { ...none, stdin: io.stdin ?? '', stdout: io.stdout ?? '', stderr: io.stderr ?? '' };
    case 'file':
      return { ...none, stdout: `file://${io.path}`, stderr: `file://${io.path}` };
    case 'log':
      return { ...none, stdout: io.path ?? '', stderr: io.terminal ? '' : (io.path ?? '') };
    case 'null':
      return none;
  }
}
