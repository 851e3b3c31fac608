import { basename, dirname, isAbsolute } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { Rollback } from '#async/rollback.ts';
import { freeze, holdsKilled, thaw } from '#cgroup/freezer.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import type { Hierarchy } from '#cgroup/hierarchy.ts';
import type { StatsDetail } from '#cgroup/stats.ts';
import { FailedPreconditionError, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import { removeTreeAtomicSync } from '#host/files.ts';
import { findProgram } from '#host/programs.ts';
import type { Log } from '#log/log.ts';
import type { LinuxResources, RuntimeSpec } from '#oci/runtime-spec.ts';
import { refKey, type ExecId, type TaskRef } from '#task/ids.ts';
import type { Attachment } from '#task/io.ts';
import type {
  Cancellable,
  CheckpointOptions,
  CheckpointResult,
  ExecRecord,
  FoundTask,
  ProcessIdentity,
  ProcessRef,
  Runtime,
  RuntimeListener,
  StatsSource,
  TaskRecord,
} from '#task/runtime.ts';
import { Bundle } from './bundle.ts';
import { checkpointTask, restoreKind } from './checkpoint.ts';
import { ExitWatch, type RecordedExit } from './conmon/exit-watch.ts';
import type { RuntimeContext } from './context.ts';
import { makeProcess, mountRootfs, prepareSpec, type Making } from './create.ts';
import { settleExit, tellOutOfMemory } from './exits.ts';
import { MonitoredProcess } from './monitored-process.ts';
import { recoverTasks } from './recover.ts';
import { endMonitors, removeTask, signalAll } from './remove.ts';
import { withGate } from './restore/gate.ts';
import { restoreTask } from './restore/restore-task.ts';
import { releaseInit } from './runc/release-init.ts';
import { execFifo } from './runc/state.ts';
import type { RotationLimits } from './stdio/log-rotation.ts';
import { StdioKeeper } from './stdio/stdio-keeper.ts';
import { SupervisedTask } from './supervised-task.ts';
import { openTaskStats, readTaskStats } from './task-stats.ts';
import { updateTask } from './update.ts';

export interface OciRuntimeOptions {
  /** What does not outlive a reboot: bundles and the runtime's own state. */
  readonly stateDir: string;
  /** Where the agent's cgroups begin; monitors are kept in `.monitors` below it. */
  readonly cgroupParent: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly hierarchy: Hierarchy;
  /** A folder of ours for programs that others are to run: not where the machine forbids that, as it often does in `/run`. By default one below `stateDir`. */
  readonly programsFolder?: string;
  /** conmon's name on PATH or its path. */
  readonly conmon?: string;
  /** Path of a program named `criu`; without it, PATH's is taken. */
  readonly criu?: string;
  /** False goes by the runtime's commands alone, to compare. */
  readonly fastPaths?: boolean;
  /** The detail of statistics whose files stay open between readings; `standard` unless said otherwise. */
  readonly keepStats?: StatsDetail;
  readonly logRotation: RotationLimits;
  readonly clock: Clock;
  readonly log: Log;
}

const highestSignal = 64;

/** The runtime port over an OCI runtime such as runc, with conmon as the monitor of each process. */
export class OciRuntime implements Runtime {
  readonly #context: RuntimeContext;
  readonly #tasks = new Map<string, SupervisedTask>();
  readonly #exits: ExitWatch<MonitoredProcess>;
  readonly #stdio: StdioKeeper;
  readonly #keepStats: StatsDetail | undefined;
  #listener: RuntimeListener = { exited: () => {}, outOfMemory: () => {} };

  constructor(options: OciRuntimeOptions) {
    const { stateDir, cgroupParent, hierarchy, cgroupDriver, clock, log } = options;
    this.#context = {
      tasksFolder: `${stateDir}/tasks`,
      hierarchy,
      cgroupDriver,
      monitors: new CgroupGroup(hierarchy, `${cgroupParent}/.monitors`),
      helpersPath: `${cgroupParent}/.restores`,
      programsFolder: options.programsFolder ?? `${stateDir}/programs`,
      conmon: findProgram(options.conmon ?? 'conmon'),
      ...(options.criu === undefined ? {} : { criuFolder: criuFolder(options.criu) }),
      fastPaths: options.fastPaths ?? true,
      clock,
      log,
    };
    this.#keepStats = options.keepStats;
    this.#stdio = new StdioKeeper({ clock, log, rotation: options.logRotation });
    this.#exits = new ExitWatch({
      listener: {
        exited: (process, recorded) => this.#ended(process, recorded),
        outOfMemory: (process) => this.#looksForOutOfMemory(process),
      },
      clock,
      log,
    });
  }

  async recover(listener: RuntimeListener): Promise<readonly FoundTask[]> {
    this.#listener = listener;
    this.#context.monitors.create();
    const recovered = await recoverTasks(this.#context);
    for (const { task } of recovered) this.#tasks.set(task.key, task);
    for (const { task } of recovered) {
      for (const process of task.processes) {
        if (!process.identity || process.exit) continue;
        await this.#stdio.adopt(process);
        this.#exits.add(process);
      }
    }
    return recovered.map(({ found }) => found);
  }

  async create(record: TaskRecord, spec: RuntimeSpec, { signal }: Cancellable): Promise<ProcessIdentity | undefined> {
    const bundle = new Bundle(this.#context.tasksFolder, record);
    const task = new SupervisedTask(this.#context, record, bundle);
    const prepared = prepareSpec(spec, record, bundle.rootfs);
    await bundle.create(record, record.restoreFrom === undefined ? prepared : withGate(prepared, bundle.path));
    await using undo = new Rollback();
    this.#tasks.set(task.key, task);
    undo.add(() => this.delete(record));
    await mountRootfs(task, signal);
    if (record.restoreFrom !== undefined) bundle.markReady();
    else await this.#make(task, task.init, { kind: { verb: 'create' }, ...(signal ? { signal } : {}) });
    undo.keep();
    task.runcState(); // read here, and not when somebody waits for its start
    return task.init.identity;
  }

  bundlePath(ref: TaskRef): string {
    return this.#task(ref).bundle.path;
  }

  async start(ref: TaskRef, { signal }: Cancellable): Promise<ProcessIdentity> {
    const task = this.#task(ref);
    if (task.record.restoreFrom !== undefined && !task.init.identity) {
      await this.#restore(task, signal);
    } else {
      await this.#release(task, signal);
    }
    task.init.folder.writeStarted(this.#context.clock.nowMs());
    return identityOf(task.init);
  }

  async addExec(ref: TaskRef, exec: ExecRecord): Promise<void> {
    const task = this.#task(ref);
    const folder = await task.bundle.createExec({ ...exec, process: { ...exec.process, terminal: exec.io.terminal } });
    task.execs.set(exec.execId, new MonitoredProcess({ ...task.init.ref, execId: exec.execId }, folder, exec.io));
  }

  async startExec(ref: TaskRef, execId: ExecId, { signal }: Cancellable): Promise<ProcessIdentity> {
    const task = this.#task(ref);
    const exec = task.process({ ...ref, execId });
    const attachFirst = exec.io.kind === 'log' ? exec.io.path === undefined : exec.io.terminal;
    await this.#make(task, exec, {
      kind: { verb: 'exec', processFile: exec.folder.file('process.json'), attachFirst },
      ...(attachFirst ? { beforeRun: () => this.#stdio.early(exec) } : {}),
      ...(signal ? { signal } : {}),
    });
    return identityOf(exec);
  }

  async deleteExec(ref: TaskRef, execId: ExecId): Promise<void> {
    const task = this.#tasks.get(refKey(ref));
    const exec = task?.execs.get(execId);
    if (!task || !exec) return;
    await this.#forget(exec);
    await endMonitors(this.#context, [exec]);
    removeTreeAtomicSync(exec.folder.path);
    task.execs.delete(execId);
  }

  async kill(ref: ProcessRef, signal: number): Promise<boolean> {
    const task = this.#task(ref);
    checkSignal(signal);
    const process = task.process(ref);
    const sent = process.signal(signal);
    // A frozen process of cgroup v1 does not even die of a KILL before it is thawed.
    if (signal === 9 && process === task.init && task.group.hierarchy.version === 1) thaw(task.group);
    return Promise.resolve(sent);
  }

  async killAll(ref: TaskRef, signal: number): Promise<void> {
    checkSignal(signal);
    await signalAll(this.#context, this.#task(ref), signal);
  }

  async pause(ref: TaskRef): Promise<void> {
    const task = this.#task(ref);
    if (!this.#context.fastPaths) {
      await task.command.run(['pause', ref.id]);
      if (!holdsKilled(task.group)) return;
      thaw(task.group);
      throw new FailedPreconditionError(`cannot pause task ${task.key}: it is being killed`);
    }
    await freeze(task.group, (ms) => this.#context.clock.sleep(ms));
  }

  async resume(ref: TaskRef): Promise<void> {
    const task = this.#task(ref);
    if (this.#context.fastPaths) thaw(task.group);
    else await task.command.run(['resume', ref.id]);
  }

  pids(ref: TaskRef): Promise<readonly number[]> {
    return Promise.resolve(this.#task(ref).group.pids());
  }

  async update(ref: TaskRef, resources: LinuxResources, options: Cancellable): Promise<void> {
    await updateTask(this.#context, this.#task(ref), resources, options);
  }

  async checkpoint(ref: TaskRef, checkpoint: CheckpointOptions, options: Cancellable): Promise<CheckpointResult> {
    const task = this.#task(ref);
    return await checkpointTask(this.#context, task, checkpoint, options);
  }

  openStats(ref: TaskRef): StatsSource {
    return openTaskStats(this.#task(ref), this.#keepStats);
  }

  async resize(ref: ProcessRef, size: { readonly width: number; readonly height: number }): Promise<void> {
    await this.#stdio.resize(this.#task(ref).process(ref), size);
  }

  closeStdin(ref: ProcessRef): Promise<void> {
    return this.#stdio.closeStdin(this.#task(ref).process(ref));
  }

  attach(ref: ProcessRef): Promise<Attachment> {
    return this.#stdio.attach(this.#task(ref).process(ref));
  }

  waited(ref: ProcessRef, waiting: boolean): void {
    const task = this.#tasks.get(refKey(ref));
    const process = ref.execId === undefined ? task?.init : task?.execs.get(ref.execId);
    if (process) this.#stdio.waited(process, waiting);
  }

  async delete(ref: TaskRef): Promise<void> {
    const task = this.#tasks.get(refKey(ref));
    if (!task) return;
    for (const process of task.processes) await this.#forget(process);
    await removeTask(this.#context, task);
    this.#tasks.delete(task.key);
  }

  async close(): Promise<void> {
    this.#exits[Symbol.dispose]();
    for (const task of this.#tasks.values()) for (const process of task.processes) process[Symbol.dispose]();
    await this.#stdio.close();
    this.#tasks.clear();
  }

  #task(ref: TaskRef): SupervisedTask {
    const task = this.#tasks.get(refKey(ref));
    if (!task) throw new NotFoundError(`the runtime has no task ${refKey(ref)}`);
    return task;
  }

  async #make(task: SupervisedTask, process: MonitoredProcess, how: Omit<Making, 'process'>): Promise<void> {
    await makeProcess(this.#context, task, { ...how, process });
    await this.#stdio.adopt(process);
    this.#exits.add(process);
  }

  async #restore(task: SupervisedTask, signal: AbortSignal | undefined): Promise<void> {
    const kind = restoreKind(task);
    await restoreTask(this.#context, task, (how) => this.#make(task, task.init, { kind, ...how }), signal);
  }

  /** Lets a created init go: by its FIFO where that is runc's, else by the runtime's command. */
  async #release(task: SupervisedTask, signal: AbortSignal | undefined): Promise<void> {
    const { runtimeRoot, id } = task.record;
    const known = this.#context.fastPaths && task.runcState() !== undefined;
    if (known && (await releaseInit(execFifo(runtimeRoot, id), identityOf(task.init)))) return;
    await task.command.run(['start', id], signal ? { signal } : {});
  }

  #ended(process: MonitoredProcess, recorded: RecordedExit): void {
    const task = this.#tasks.get(refKey(process.ref));
    if (!task) return;
    const settle = () => {
      const exit = settleExit(this.#context, task, process, recorded);
      if (process === task.init) tellOutOfMemory(task, exit.final?.oomKills, this.#listener);
      this.#stdio.ended(process);
      this.#listener.exited(process.ref, exit);
    };
    // Whether a checkpoint is why it ended is known when the dump has come to its end.
    if (process === task.init && task.checkpoint) task.checkpoint.heldExit = settle;
    else this.#stdio.beforeEnd(process, settle);
  }

  #looksForOutOfMemory(process: MonitoredProcess): void {
    const task = this.#tasks.get(refKey(process.ref));
    if (task) tellOutOfMemory(task, readTaskStats(task)?.memory?.oomKills, this.#listener);
  }

  async #forget(process: MonitoredProcess): Promise<void> {
    this.#exits.remove(process);
    await this.#stdio.forget(process);
    process[Symbol.dispose]();
  }
}

/** The runtime looks for CRIU by its name on PATH, so a path of another name is of no use. Throws InvalidArgumentError. */
function criuFolder(criu: string): string {
  if (isAbsolute(criu) && basename(criu) === 'criu') return dirname(criu);
  throw new InvalidArgumentError(`cannot use ${criu} as CRIU: give the absolute path of a program named criu`);
}

function identityOf(process: MonitoredProcess): ProcessIdentity {
  if (!process.identity) throw new FailedPreconditionError(`process ${process.folder.path} has not been made`);
  return process.identity;
}

function checkSignal(signal: number): void {
  if (!Number.isInteger(signal) || signal < 1 || signal > highestSignal) {
    throw new InvalidArgumentError(`invalid signal ${signal}: it must be 1 to ${highestSignal}`);
  }
}
