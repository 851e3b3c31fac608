import type { Image, PullProgress } from '#images/images.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { TaskRef } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import type { CreateTask } from '#task/task-record.ts';
import type { ConfigSource } from '../node-task/config-source.ts';
import type { NodeTask } from '../node-task/types.ts';

export interface MakeOptions {
  /** The name on the node: containerd's namespace and id. */
  readonly ref: TaskRef;
  /** Which run of the object it is, from 0: the name of its log. */
  readonly attempt: number;
  /** Whether paths of the node may be named as images, and root file systems outside of those allowed: who wrote the object. */
  readonly trust: 'cluster' | 'manifest' | 'person';
  /** Where relative paths of `oci:` and `docker-archive:` begin. */
  readonly baseDir?: string;
  /** Written into the task's record, such as `{uid, generation}`; `maker` and `attempt` are added. */
  readonly owner: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether stdin ends with the first client that leaves. */
  readonly stdinOnce?: boolean;
  /** `user[:group]` by name or number, where a person said so: takes the place of the image's user. */
  readonly user?: string;
  readonly config: ConfigSource;
  /** A folder of CRIU images to restore from. */
  readonly restoreFrom?: string;
  /** With it: a folder of what the task had written on top of its image. */
  readonly restoreLayer?: string;
  /** Looks at the specification that would run, before anything is made of it; throws TerminalError where it may not. */
  readonly admit?: (spec: RuntimeSpec) => void | Promise<void>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Told of what this machine cannot do and was left out. */
  readonly onWarning?: (text: string) => void;
}

/** Everything that a task needs is there: image, layer, volumes, folder for its log. */
export interface PreparedTask {
  readonly request: CreateTask;
  /** Absent with a plain root file system. */
  readonly image?: Image;
  /** Number of the signal that stops it: the object's, else the image's, else TERM. */
  readonly stopSignal: number;
  /** Fields below spec.resources that this machine cannot do; the rest applies. */
  readonly notSupported: readonly string[];
  /** Takes away what was prepared, for who could not make the task of it; data of volumes from earlier runs stays. */
  undo(): Promise<void>;
}

export interface MadeTask extends PreparedTask {
  /** Created, not started. */
  readonly task: Task;
}

export interface RemoveOptions {
  /** The object's UID: its logs are kept for a time as `<id>_<uid>`. Without it they are removed. */
  readonly keepLogsAs?: string;
  /** Its logs stay as they are: the object is still there. */
  readonly leaveLogs?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Makes tasks of NodeTasks, wherever those come from, with all that belongs to them: image, layer, volumes, container record,
 * task, log. What is half made is undone, at once or, after a crash, by `sweep`. Calls for one ref are the caller's to order.
 */
export interface TaskMaking {
  /**
   * Gets ready what the task needs; nothing of an earlier run may still be there but its volumes. Throws TerminalError for
   * what only a change of the object can mend, InvalidArgumentError, NotFoundError, UnavailableError for the rest.
   */
  prepare(task: NodeTask, options: MakeOptions): Promise<PreparedTask>;
  /** Prepares, creates the task and writes the container record, which is what makes it count after a crash. */
  make(task: NodeTask, options: MakeOptions): Promise<MadeTask>;
  /** Removes the task of a run that has ended or never started, and its layer; volumes, container record and logs stay. */
  endRun(ref: TaskRef, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Removes everything of an object whose task does not run. Being gone already is success. */
  remove(ref: TaskRef, options: RemoveOptions): Promise<void>;
  /** Once after recovery: removes what a crash left half made or that nobody owns. */
  sweep(): Promise<void>;
}
