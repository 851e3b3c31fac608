import type { Clock } from '#async/clock.ts';
import type { Slots } from '#async/slots.ts';
import type { Images } from '#images/images.ts';
import type { Log } from '#log/log.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Task } from '#task/task.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { MakeOptions, TaskMaking } from '../making/making.ts';
import type { NodeTask, Resources } from '../node-task/types.ts';
import type { ObjectMemories } from './object-memory.ts';
import type { WallClock } from './wall-clock.ts';
import type { RecordStore } from './record-store.ts';
import type { NodeTaskSink, NodeTaskSource, ObjectIdentity, PodSecurityLevel } from './source.ts';

/** What the reconciler works with. */
export interface ReconcilerParts {
  readonly source: NodeTaskSource;
  readonly sink: NodeTaskSink;
  readonly tasks: TaskManager;
  readonly making: TaskMaking;
  readonly images: Pick<Images, 'ensure'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Read anew each time. */
  readonly machine: () => MachineLimits;
  readonly nodeName: string;
  readonly bootId: string;
  readonly defaultPidsLimit: number;
  readonly trust: MakeOptions['trust'];
  /** Where relative paths of images begin. */
  readonly baseDir?: string;
  /** Rules of the node's administrator, which narrow what the namespace's level allows; absent: none. */
  readonly policy?: TaskPolicy;
  /**
   * The checkpoint that an object is to be restored from; `imageDigest`: of the image that it would run. Throws
   * UnavailableError while it is not ready, TerminalError (`RestoreRefused`).
   */
  readonly checkpointOf?: (task: NodeTask, imageDigest: string | undefined) => Promise<SavedTask>;
}

/** What a checkpoint left of a task. */
export interface SavedTask {
  /** Folder of CRIU's images. */
  readonly images: string;
  /** Folder of what the task had written on top of its image; absent when that was nothing. */
  readonly layer?: string;
  /** Told when the task is made, or is not to be: from here the task itself says that it needs it. */
  readonly release?: () => void;
  /** Whether its processes have the rights that this specification gives. Throws TerminalError (`RestoreRefused`). */
  check(spec: RuntimeSpec): void;
}

/** What a node's administrator lets tasks be. Its checks throw TerminalError (`PolicyViolation`) naming field and rule. */
export interface TaskPolicy {
  /** The level that counts for a namespace. */
  levelOf(kubeNamespace: string, level: PodSecurityLevel): PodSecurityLevel;
  /** Before its image is fetched. */
  checkSource(task: NodeTask): void;
  /** Of a task that is to be made, or changed while it runs. */
  checkLimits(resources: Resources | null | undefined, defaultPids: number): void;
}

/** The same for the reconciler's own parts. */
export interface ReconcilerContext extends ReconcilerParts {
  readonly records: RecordStore;
  readonly memories: ObjectMemories;
  /** By which all decisions are made. */
  readonly wallClock: WallClock;
  /** Turns at making: more at once would only be in each other's way, and in that of what is made already. */
  readonly turns: Slots;
  /** Warnings that have been said. */
  readonly warned: Set<string>;
  /** Asks for another look at an object. */
  readonly look: (key: string) => void;
}

/** Whom an action is about. */
export interface Subject {
  readonly object: ObjectIdentity;
  readonly task?: Task;
  readonly signal: AbortSignal;
}

/** `on`: look at the world again at once; `wait`: what was done takes its time, and somebody will tell. */
export type Applied = 'on' | 'wait';
