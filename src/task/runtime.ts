import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import type { LinuxResources, ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { ExecId, TaskRef } from './ids.ts';
import type { Attachment, ProcessIo } from './io.ts';

/** Who a process is: a pid is used again, so its start time and the boot are part of its name. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/PID/stat`. */
  readonly startTime: string;
  readonly bootId: string;
}

/** A file system to mount on the bundle's `rootfs` folder before the task is created. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** What was asked of the runtime for a task; written to the bundle before anything is made. */
export interface TaskRecord extends TaskRef {
  /** Absolute path of the runtime binary or a name on PATH. */
  readonly runtime: string;
  /** The runtime's `--root`. */
  readonly runtimeRoot: string;
  /** The task's cgroup below each hierarchy's mount, such as `/runlet/default/web`; a slice triple under systemd. */
  readonly cgroupPath: string;
  readonly io: ProcessIo;
  /** Mounted in order on `<bundle>/rootfs`; empty where the specification names a root of its own. */
  readonly rootfs: readonly Mount[];
  /** A folder of CRIU images to restore from at start instead of running the specification's command. */
  readonly restoreFrom?: string;
  /** Whether the process has a pid namespace of its own, so that its end ends the others. */
  readonly ownPidNamespace: boolean;
  /** What the makers of the task want to find again, such as a NodeTask's UID and generation; the core never reads it. */
  readonly owner: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
}

/** A process that exec adds, written beside its task's record. */
export interface ExecRecord {
  readonly execId: ExecId;
  readonly process: ProcessSpec;
  readonly io: ProcessIo;
}

/** How a process ended. */
export interface Exit {
  /** 0–255; 128 + n when signal n ended it; 255 when nobody saw its end. */
  readonly status: number;
  readonly atMs: number;
  /** `Lost` when nobody saw it; `Checkpointed` when a checkpoint ended it; `OOMKilled` when the kernel did for want of memory. */
  readonly reason: 'Exited' | 'OOMKilled' | 'Lost' | 'Checkpointed';
  /** What the task's cgroup counted until its end; absent for execs and where it was gone already. */
  readonly final?: FinalSample;
}

/** The last reading of a task's cgroup, for what is shorter than a scrape interval. */
export interface FinalSample {
  readonly cpuUsageUsec?: bigint;
  readonly throttledUsec?: bigint;
  readonly peakMemoryBytes?: bigint;
  readonly oomKills?: bigint;
  /** Where the kernel counts it. */
  readonly pressure?: NonNullable<TaskStats['pressure']>;
}

/** What recovery finds of a task on disk and in the kernel. */
export interface FoundTask {
  readonly record: TaskRecord;
  readonly init?: ProcessIdentity;
  /**
   * `creating`: the create was cut off and undone by the runtime already. `restoring`: created from a checkpoint, not
   * started. `lost`: it ran and neither process nor exit status is left.
   */
  readonly phase: 'creating' | 'created' | 'restoring' | 'running' | 'paused' | 'stopped' | 'lost';
  readonly startedAtMs?: number;
  readonly exit?: Exit;
  readonly execs: readonly FoundExec[];
}

export interface FoundExec {
  readonly record: ExecRecord;
  readonly process?: ProcessIdentity;
  readonly phase: 'created' | 'running' | 'stopped' | 'lost';
  readonly exit?: Exit;
}

export interface CheckpointOptions {
  /** Folder for the CRIU images; made when it is not there. */
  readonly imagePath: string;
  /** Folder for CRIU's logs; by default one in the bundle, removed afterwards. */
  readonly workPath?: string;
  /** End the task with the dump. */
  readonly exit: boolean;
  readonly openTcp?: boolean;
  readonly externalUnixSockets?: boolean;
  readonly terminal?: boolean;
  readonly fileLocks?: boolean;
  readonly emptyNamespaces?: readonly string[];
  /** Called before the dump while every process stands still, such as to copy what they have written; what it throws ends the dump. */
  readonly whileFrozen?: () => Promise<void>;
}

export interface CheckpointResult {
  /** How long the task's processes stood still for the dump, in milliseconds. */
  readonly frozenMs: number;
}

export interface Cancellable {
  readonly signal?: AbortSignal;
}

/** A process of a task: the first one, or the exec with this id. */
export interface ProcessRef extends TaskRef {
  readonly execId?: ExecId;
}

/** What the runtime tells on its own account. */
export interface RuntimeListener {
  /**
   * A process has ended, and recovery would now tell the same; told once for each. The cgroup is still there. The end of a
   * first process is the end of all: the kernel sees to it in a pid namespace of its own, the runtime elsewhere, so that
   * the exits of the others are told as well, in any order.
   */
  exited(process: ProcessRef, exit: Exit): void;
  /** The kernel killed a process of the task for want of memory; told before an exit that it caused. */
  outOfMemory(task: TaskRef): void;
}

/** A task's cgroup files, kept open between readings. */
export interface StatsSource extends Disposable {
  /** Reads now, without a promise: a reading is a few microseconds a file. Undefined once the cgroup is gone. */
  read(detail?: StatsDetail): TaskStats | undefined;
}

/**
 * The port between the core and whatever runs containers. It keeps no rules of state: the core asks only what the
 * transition table allows, one change a task at a time. Every method may throw CommandFailedError with the runtime's text.
 */
export interface Runtime {
  /** Finds everything that is on disk and still in the kernel, undoes what was half made, and begins to watch the rest. */
  recover(listener: RuntimeListener): Promise<readonly FoundTask[]>;
  /** Makes bundle, mounts, monitor and container, and returns the waiting init. Leaves nothing behind when it throws. With `restoreFrom` only the bundle is made and there is no process. */
  create(record: TaskRecord, spec: RuntimeSpec, options: Cancellable): Promise<ProcessIdentity | undefined>;
  /** Absolute path of the task's bundle, for those who are told of its creation; empty where there is none. */
  bundlePath?(task: TaskRef): string;
  /** Lets the init go; with `restoreFrom`, restores it. Returns the init. */
  start(task: TaskRef, options: Cancellable): Promise<ProcessIdentity>;
  /** Writes the record of an exec. */
  addExec(task: TaskRef, exec: ExecRecord): Promise<void>;
  /** Runs it. */
  startExec(task: TaskRef, execId: ExecId, options: Cancellable): Promise<ProcessIdentity>;
  /** Forgets an exec that has ended or never ran. */
  deleteExec(task: TaskRef, execId: ExecId): Promise<void>;
  /** Sends a signal to one process. Returns false when it has ended already. Throws InvalidArgumentError for a bad number. */
  kill(process: ProcessRef, signal: number): Promise<boolean>;
  /** Sends a signal to every process of the task's cgroup; none left is success. */
  killAll(task: TaskRef, signal: number): Promise<void>;
  /** Freezes every process of the task; returns when the kernel says that all are. */
  pause(task: TaskRef, options: Cancellable): Promise<void>;
  resume(task: TaskRef, options: Cancellable): Promise<void>;
  /** Host pids of the task's cgroup, children's cgroups included; none when it is gone. */
  pids(task: TaskRef): Promise<readonly number[]>;
  update(task: TaskRef, resources: LinuxResources, options: Cancellable): Promise<void>;
  checkpoint(task: TaskRef, checkpoint: CheckpointOptions, options: Cancellable): Promise<CheckpointResult>;
  openStats(task: TaskRef): StatsSource;
  resize(process: ProcessRef, size: { readonly width: number; readonly height: number }): Promise<void>;
  /** Gives up the agent's own writing end of the process's stdin. Harmless when done twice. */
  closeStdin(process: ProcessRef): Promise<void>;
  /** Connects to a process whose streams the monitor keeps. Throws FailedPreconditionError for FIFO and file streams. */
  attach(process: ProcessRef): Promise<Attachment>;
  /** Tells the runtime that somebody waits for this process (true), or that the last one has gone (false). */
  waited(process: ProcessRef, waiting: boolean): void;
  /** Removes container, cgroup, mounts and bundle. Being gone already is success. */
  delete(task: TaskRef): Promise<void>;
  /** Stops watching and lets go of every descriptor; tasks go on. */
  close(): Promise<void>;
}
