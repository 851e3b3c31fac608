import type { Clock } from '#async/clock.ts';
import { systemClock } from '#async/clock.ts';
import type { TaskStats } from '#cgroup/stats.ts';
import { AlreadyExistsError, FailedPreconditionError, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import type { LinuxResources, RuntimeSpec } from '#oci/runtime-spec.ts';
import { refKey, type ExecId, type TaskRef } from '#task/ids.ts';
import type { Attachment, OutputChunk } from '#task/io.ts';
import type {
  Cancellable,
  CheckpointOptions,
  CheckpointResult,
  ExecRecord,
  Exit,
  FoundTask,
  ProcessIdentity,
  ProcessRef,
  Runtime,
  RuntimeListener,
  StatsSource,
  TaskRecord,
} from '#task/runtime.ts';
import { FakeControls } from './fake-controls.ts';
import { FakeMachine, isLive, type FakeProcess, type FakeTask } from './fake-machine.ts';

const killSignal = 9;

/**
 * The runtime port without a runtime. It keeps the port's contract: exits are told once, also before the call that started the
 * process returns; a KILL of a frozen task ends it, other signals wait for the thaw; the end of a first process is the end of
 * all. A process whose args are `exit N` ends by itself at once, `oom` is killed for want of memory at once, any other runs
 * until a signal or the test ends it. A second one on the same machine is what a restarted agent has.
 */
export class FakeRuntime implements Runtime {
  readonly machine: FakeMachine;
  /** Makes calls fail or wait, and lists them. */
  readonly controls = new FakeControls();
  /** `process true` and `process false`, in order. */
  readonly waits: string[] = [];
  readonly updates: LinuxResources[] = [];
  readonly sizes: string[] = [];
  /** Readers of statistics that are open now. */
  openReaders = 0;
  /** How often statistics were read. */
  readings = 0;
  /** What is read of every task; by default what the machine knows. */
  stats: TaskStats | undefined;
  /** Whether signals end processes; a test that says false ends them itself. */
  mortal = true;
  /** Whether the end of a first process is told before those of its execs. */
  tellsInitFirst = true;
  readonly #clock: Clock;
  readonly #statsFailures = new Map<string, Error>();
  #listener: RuntimeListener | undefined;

  constructor(options: { readonly machine?: FakeMachine; readonly clock?: Clock } = {}) {
    this.machine = options.machine ?? new FakeMachine();
    this.#clock = options.clock ?? systemClock;
  }

  /** Ends a process and tells so, both at once. Nothing when it has no process or has ended. */
  end(ref: ProcessRef, exit: Partial<Exit> = {}): void {
    const task = this.machine.task(ref);
    const process = task && this.#processOf(task, ref.execId);
    if (!task || !process || !isLive(process)) return;
    process.exit = { status: 0, atMs: this.#clock.nowMs(), reason: 'Exited', ...exit };
    const tellInit = () => this.#listener?.exited(ref, exitOf(process));
    if (ref.execId === undefined && this.tellsInitFirst) tellInit();
    if (ref.execId === undefined) {
      task.frozen = false;
      for (const execId of task.execs.keys()) this.end({ ...ref, execId }, killed(killSignal));
    }
    if (ref.execId !== undefined || !this.tellsInitFirst) tellInit();
  }

  /** Counts an out-of-memory kill and tells so. */
  outOfMemory(ref: TaskRef): void {
    const task = this.#task(ref);
    task.oomKills += 1n;
    this.#listener?.outOfMemory(ref);
  }

  /** Makes every reading of a task's statistics fail. */
  failStats(ref: TaskRef, error: Error): void {
    this.#statsFailures.set(refKey(ref), error);
  }

  async recover(listener: RuntimeListener): Promise<readonly FoundTask[]> {
    await this.controls.enter('recover', '');
    this.#listener = listener;
    const found = this.machine.found();
    for (const { record, phase } of found) {
      if (phase === 'creating') this.machine.tasks.delete(refKey(record));
    }
    return found;
  }

  async create(record: TaskRecord, spec: RuntimeSpec, { signal }: Cancellable): Promise<ProcessIdentity | undefined> {
    const key = refKey(record);
    if (this.machine.tasks.has(key)) throw new AlreadyExistsError(`task ${key} has a bundle already`);
    const { namespace, id } = record;
    const init: FakeProcess = { ref: { namespace, id }, args: spec.process?.args ?? [], pending: [] };
    const task: FakeTask = { record, init, execs: new Map(), step: 'creating', frozen: false, oomKills: 0n };
    this.machine.tasks.set(key, task);
    try {
      await this.controls.enter('create', key, signal);
      if (record.restoreFrom === undefined) init.identity = this.machine.spawn();
      await this.controls.leave('create');
    } catch (error) {
      this.machine.tasks.delete(key);
      throw error;
    }
    task.step = 'made';
    return init.identity;
  }

  async start(ref: TaskRef, { signal }: Cancellable): Promise<ProcessIdentity> {
    const task = this.#task(ref);
    await this.controls.enter('start', refKey(ref), signal);
    const { init } = task;
    if (init.exit) throw new FailedPreconditionError(`the init of ${refKey(ref)} has ended`);
    init.identity ??= this.machine.spawn();
    task.step = 'started';
    task.startedAtMs = this.#clock.nowMs();
    this.#run(init);
    await this.controls.leave('start');
    return init.identity;
  }

  async addExec(ref: TaskRef, exec: ExecRecord): Promise<void> {
    const task = this.#task(ref);
    await this.controls.enter('addExec', `${refKey(ref)}/${exec.execId}`);
    const process = { ref: { ...task.init.ref, execId: exec.execId }, args: exec.process.args ?? [], pending: [] };
    task.execs.set(exec.execId, { record: exec, process });
  }

  async startExec(ref: TaskRef, execId: ExecId, { signal }: Cancellable): Promise<ProcessIdentity> {
    const task = this.#task(ref);
    const process = this.#process({ ...ref, execId });
    await this.controls.enter('startExec', `${refKey(ref)}/${execId}`, signal);
    if (!isLive(task.init)) throw new FailedPreconditionError(`the init of ${refKey(ref)} has ended`);
    process.identity = this.machine.spawn();
    this.#run(process);
    await this.controls.leave('startExec');
    return process.identity;
  }

  async deleteExec(ref: TaskRef, execId: ExecId): Promise<void> {
    await this.controls.enter('deleteExec', `${refKey(ref)}/${execId}`);
    this.machine.task(ref)?.execs.delete(execId);
  }

  async kill(ref: ProcessRef, signal: number): Promise<boolean> {
    const process = this.#process(ref);
    checkSignal(signal);
    await this.controls.enter('kill', `${nameOf(ref)} ${signal}`);
    if (!isLive(process)) return false;
    this.#signal(this.#task(ref), process, signal);
    return true;
  }

  async killAll(ref: TaskRef, signal: number): Promise<void> {
    const task = this.#task(ref);
    checkSignal(signal);
    await this.controls.enter('killAll', `${refKey(ref)} ${signal}`);
    for (const process of processesOf(task)) if (isLive(process)) this.#signal(task, process, signal);
  }

  async pause(ref: TaskRef, { signal }: Cancellable): Promise<void> {
    const task = this.#task(ref);
    await this.controls.enter('pause', refKey(ref), signal);
    task.frozen = true;
    await this.controls.leave('pause');
  }

  async resume(ref: TaskRef, { signal }: Cancellable): Promise<void> {
    const task = this.#task(ref);
    await this.controls.enter('resume', refKey(ref), signal);
    task.frozen = false;
    for (const process of processesOf(task)) {
      for (const pending of process.pending.splice(0)) this.#signal(task, process, pending);
    }
    await this.controls.leave('resume');
  }

  async pids(ref: TaskRef): Promise<readonly number[]> {
    await this.controls.enter('pids', refKey(ref));
    const task = this.#task(ref);
    return processesOf(task).flatMap((process) => (process.identity && isLive(process) ? [process.identity.pid] : []));
  }

  async update(ref: TaskRef, resources: LinuxResources, { signal }: Cancellable): Promise<void> {
    this.#task(ref);
    await this.controls.enter('update', refKey(ref), signal);
    this.updates.push(resources);
  }

  async checkpoint(ref: TaskRef, checkpoint: CheckpointOptions, { signal }: Cancellable): Promise<CheckpointResult> {
    this.#task(ref);
    await this.controls.enter('checkpoint', refKey(ref), signal);
    if (checkpoint.exit) this.end(ref, { ...killed(killSignal), reason: 'Checkpointed' });
    await this.controls.leave('checkpoint');
    return { frozenMs: 5 };
  }

  openStats(ref: TaskRef): StatsSource {
    this.#task(ref);
    this.openReaders += 1;
    let open = true;
    return {
      read: () => this.#read(ref),
      [Symbol.dispose]: () => {
        if (open) this.openReaders -= 1;
        open = false;
      },
    };
  }

  async resize(ref: ProcessRef, size: { readonly width: number; readonly height: number }): Promise<void> {
    this.#process(ref);
    await this.controls.enter('resize', nameOf(ref));
    this.sizes.push(`${nameOf(ref)} ${size.width}x${size.height}`);
  }

  async closeStdin(ref: ProcessRef): Promise<void> {
    await this.controls.enter('closeStdin', nameOf(ref));
  }

  /** An attachment whose process says nothing and takes everything. */
  async attach(ref: ProcessRef): Promise<Attachment> {
    this.#process(ref);
    await this.controls.enter('attach', nameOf(ref));
    return {
      output: silence(),
      write: () => Promise.resolve(),
      closeStdin: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  waited(ref: ProcessRef, waiting: boolean): void {
    this.waits.push(`${nameOf(ref)} ${waiting}`);
  }

  /** Whatever still runs ends untold. */
  async delete(ref: TaskRef): Promise<void> {
    await this.controls.enter('delete', refKey(ref));
    this.machine.tasks.delete(refKey(ref));
  }

  async close(): Promise<void> {
    await this.controls.enter('close', '');
    this.#listener = undefined;
  }

  bundlePath(ref: TaskRef): string {
    return `/run/fake/tasks/${refKey(ref)}`;
  }

  #task(ref: TaskRef): FakeTask {
    const task = this.machine.task(ref);
    if (!task) throw new NotFoundError(`the runtime has no task ${refKey(ref)}`);
    return task;
  }

  #process(ref: ProcessRef): FakeProcess {
    const process = this.#processOf(this.#task(ref), ref.execId);
    if (!process) throw new NotFoundError(`the runtime has no process ${nameOf(ref)}`);
    return process;
  }

  #processOf(task: FakeTask, execId: ExecId | undefined): FakeProcess | undefined {
    return execId === undefined ? task.init : task.execs.get(execId)?.process;
  }

  /** The process begins its command; a short one is over before anybody hears that it began. */
  #run(process: FakeProcess): void {
    const [command, status] = process.args;
    if (command === 'exit') this.end(process.ref, { status: Number(status) });
    if (command !== 'oom') return;
    this.outOfMemory(process.ref);
    this.end(process.ref, { ...killed(killSignal), reason: 'OOMKilled' });
  }

  #signal(task: FakeTask, process: FakeProcess, signal: number): void {
    if (!this.mortal) return;
    if (task.frozen && signal !== killSignal) process.pending.push(signal);
    else queueMicrotask(() => this.end(process.ref, killed(signal)));
  }

  #read(ref: TaskRef): TaskStats | undefined {
    const task = this.machine.task(ref);
    if (!task) return undefined;
    this.readings += 1;
    const failure = this.#statsFailures.get(refKey(ref));
    if (failure) throw failure;
    if (this.stats) return this.stats;
    const current = BigInt(processesOf(task).filter(isLive).length);
    return { version: 2, memory: { usageBytes: 4096n, oomKills: task.oomKills }, pids: { current } };
  }
}

function processesOf(task: FakeTask): readonly FakeProcess[] {
  return [task.init, ...[...task.execs.values()].map(({ process }) => process)];
}

/** How a signal ends a process, as shells write it. */
function killed(signal: number): { readonly status: number } {
  return { status: 128 + signal };
}

function exitOf(process: FakeProcess): Exit {
  if (!process.exit) throw new Error('the process has not ended');
  return process.exit;
}

function nameOf(ref: ProcessRef): string {
  return ref.execId === undefined ? refKey(ref) : `${refKey(ref)}/${ref.execId}`;
}

function checkSignal(signal: number): void {
  if (!Number.isInteger(signal) || signal < 1 || signal > 64)
    throw new InvalidArgumentError(`invalid signal ${signal}`);
}

async function* silence(): AsyncGenerator<OutputChunk> {}
