import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { AlreadyExistsError, NotFoundError } from '#errors/errors.ts';
import type { LinuxResources, ProcessSpec } from '#oci/runtime-spec.ts';
import type { TaskContext } from './context.ts';
import type { ExecProcess } from './exec-process.ts';
import { killSignal } from './exits.ts';
import type { ExecId, Namespace } from './ids.ts';
import type { ProcessIo } from './io.ts';
import { observed } from './operations.ts';
import type { Cancellable, CheckpointOptions, CheckpointResult } from './runtime.ts';
import { follow } from './state.ts';
import { TaskLife, type TaskState } from './task-life.ts';

/** A process of a task's cgroup; with an exec's id where it is the main process of one. */
export interface ProcessInfo {
  readonly pid: number;
  readonly execId?: ExecId;
}

/**
 * A task: containerd's word for a container's processes. Verbs that change it run one after another under its lock: the
 * transition table is asked, the runtime acts, then the new phase is stored and told; what fails leaves the phase as it was.
 * Throws what the table says (FailedPreconditionError, NotFoundError), CancelledError when `signal` aborts before the turn
 * comes, and what the runtime throws.
 */
export class Task extends TaskLife {
  #startedAtMs: number | undefined;

  constructor(context: TaskContext, state: TaskState) {
    super(context, state);
    this.#startedAtMs = state.startedAtMs;
  }

  get namespace(): Namespace {
    return this.ref.namespace;
  }

  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  get execs(): readonly ExecProcess[] {
    return this.execSet.all;
  }

  /** The task itself, or the exec with this id. Throws NotFoundError. */
  process(execId?: ExecId): Task | ExecProcess {
    return execId === undefined ? this : this.execSet.get(execId);
  }

  /** Lets the created process run its command, or restores it; returns its pid. */
  start({ signal }: Cancellable = {}): Promise<number> {
    return this.change('start', signal, async (next) => {
      // A process that ends within a millisecond is told of after its start.
      using _hold = this.notices.hold();
      const { pid } = await this.context.runtime.start(this.ref, signal ? { signal } : {});
      this.began(pid);
      this.#startedAtMs = this.context.clock.nowMs();
      this.currentPhase = next;
      this.publish({ topic: '/tasks/start', pid });
      return pid;
    });
  }

  /** Freezes every process of the task. Throws FailedPreconditionError when it ends meanwhile. */
  pause({ signal }: Cancellable = {}): Promise<void> {
    return this.change('pause', signal, async (next) => {
      const before = this.currentPhase;
      this.currentPhase = 'pausing';
      try {
        await this.context.runtime.pause(this.ref, signal ? { signal } : {});
      } finally {
        // It may have ended while it was being frozen.
        if (this.phase === 'pausing') this.currentPhase = before;
      }
      this.check('pause');
      this.currentPhase = next;
      this.publish({ topic: '/tasks/paused' });
    });
  }

  resume({ signal }: Cancellable = {}): Promise<void> {
    return this.change('resume', signal, async (next) => {
      // What a signal ends as soon as it moves again is told of after the resume.
      using _hold = this.notices.hold();
      await this.context.runtime.resume(this.ref, signal ? { signal } : {});
      this.currentPhase = next;
      this.publish({ topic: '/tasks/resumed' });
    });
  }

  /**
   * Sends a signal to the first process or, with `all`, to every process of the task; 0 only asks. All of a stopped task is
   * nobody, which is no error. A KILL ends a task that waits to be restored, although it has no process yet.
   */
  kill(signal: number, { all = false }: { readonly all?: boolean } = {}): Promise<void> {
    return observed(this.context, 'kill', () => this.#kill(signal, all));
  }

  async #kill(signal: number, all: boolean): Promise<void> {
    if (all && this.currentPhase === 'stopped') return;
    if (this.restoring && (await this.#killRestoring(signal))) return;
    follow(all ? this.currentPhase : this.knownPhase, 'kill', this.name);
    if (!all) await this.signal(signal);
    else if (signal !== 0) await this.context.runtime.killAll(this.ref, signal);
  }

  /** Adds a process, which `start` on it runs. Throws AlreadyExistsError for an id that is in use. */
  exec(
    execId: ExecId,
    exec: { readonly process: ProcessSpec; readonly io: ProcessIo },
    { signal }: Cancellable = {},
  ): Promise<ExecProcess> {
    return this.change('exec', signal, async () => {
      if (this.execSet.has(execId)) throw new AlreadyExistsError(`id ${execId}: already exists: in task ${this.name}`);
      using _hold = this.notices.hold();
      const record = { execId, process: exec.process, io: exec.io };
      await this.context.runtime.addExec(this.ref, record);
      const added = this.execSet.add({ record, phase: 'created' });
      this.publish({ topic: '/tasks/exec-added', execId });
      return added;
    });
  }

  /** The processes of the task's cgroup; none after its end. Throws NotFoundError after its delete. */
  async pids(): Promise<readonly ProcessInfo[]> {
    if (this.currentPhase === 'deleted') throw new NotFoundError(`task ${this.id} not found`);
    if (this.exit || this.restoring) return [];
    const execs = this.execSet.byPid();
    const pids = await this.context.runtime.pids(this.ref);
    return pids.map((pid) => {
      const execId = execs.get(pid);
      return execId === undefined ? { pid } : { pid, execId };
    });
  }

  /** Changes the task's limits. */
  update(resources: LinuxResources, { signal }: Cancellable = {}): Promise<void> {
    return this.change('update', signal, () =>
      this.context.runtime.update(this.ref, resources, signal ? { signal } : {}),
    );
  }

  /** Dumps the task's processes; with `exit` its end follows, with reason Checkpointed, after the event of the checkpoint. */
  checkpoint(options: CheckpointOptions, { signal }: Cancellable = {}): Promise<CheckpointResult> {
    return this.change('checkpoint', signal, async () => {
      using _hold = this.notices.hold();
      const result = await this.context.runtime.checkpoint(this.ref, options, signal ? { signal } : {});
      this.publish({ topic: '/tasks/checkpointed', checkpoint: options.imagePath });
      return result;
    });
  }

  /** Reads the task's cgroup at once, without the lock; undefined without a process. The files stay open until its end. */
  stats(detail?: StatsDetail): TaskStats | undefined {
    return this.knownPhase === 'stopped' || this.restoring ? undefined : this.keptStats.read(detail);
  }

  /** There is nobody to signal before a restore, nor known who it is while one is under way: in turn. False when it is over. */
  #killRestoring(signal: number): Promise<boolean> {
    return this.inTurn('kill', undefined, () => {
      const { restoring } = this;
      if (restoring && signal === killSignal) this.endAsKilled();
      return Promise.resolve(restoring);
    });
  }
}
