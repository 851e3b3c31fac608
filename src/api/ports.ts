import type { UserSpec } from '#oci/runtime-spec.ts';
import type { Namespace, TaskId, TaskRef } from '#task/ids.ts';
import type { Task } from '#task/task.ts';

/** What is being done for a task or image that is not there yet. */
export interface Progress {
  readonly phase: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
}

export interface ProgressOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** What somebody wants made by hand, outside of desired state. */
export interface MakeRequest {
  readonly namespace: Namespace;
  readonly id: TaskId;
  /** The spec of a NodeTask, unchecked. */
  readonly spec: unknown;
  readonly labels: Readonly<Record<string, string>>;
  readonly baseDir: string;
  readonly stdinOnce: boolean;
  /** `user[:group]` by name or number, as the root file system has them; wins over the spec's ids. */
  readonly user?: string;
}

/** Makes tasks from images and folders, with all that belongs to them. */
export interface TaskMaker {
  /** Makes container and task; the task waits for its start. Throws InvalidArgumentError naming field and rule. */
  make(request: MakeRequest, options: ProgressOptions & { readonly onWarning: (text: string) => void }): Promise<Task>;
  /** Ends the task if it runs, and makes and starts its container anew. */
  restart(ref: TaskRef, options: { readonly signal: AbortSignal }): Promise<Task>;
  /** Removes a task, its container, its layer and logs. Throws FailedPreconditionError while it runs, unless forced. */
  remove(ref: TaskRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void>;
  /** A user by name or number as the task's root file system has it. */
  resolveUser(ref: TaskRef, user: string): Promise<UserSpec>;
  /**
   * Changes limits of a task: `resources` of a NodeTask, unchecked; what it does not name stays as it is. Kept for the next
   * start. Returns what this machine cannot do. Throws InvalidArgumentError naming field and rule.
   */
  update(ref: TaskRef, resources: unknown, options: { readonly signal: AbortSignal }): Promise<readonly string[]>;
  /** Makes the task of a container anew from CRIU's images, on the layer that it has written, and starts it. */
  restore(ref: TaskRef, options: { readonly path: string; readonly signal: AbortSignal }): Promise<Task>;
  /** Stops a task as its specification says: stop signal, grace period, KILL. */
  stop(ref: TaskRef, options: { readonly graceMs?: number; readonly signal: AbortSignal }): Promise<void>;
}

export interface ImageInfo {
  readonly reference: string;
  readonly digest: string;
  readonly imageId: string;
  readonly sizeBytes: number;
  readonly pulledAtMs: number;
  readonly inUse: boolean;
}

/** The images on the node. */
export interface ImageAdmin {
  pull(reference: string, options: ProgressOptions & { readonly baseDir: string }): Promise<ImageInfo>;
  list(): Promise<readonly ImageInfo[]>;
  /** Throws NotFoundError, FailedPreconditionError while it is in use. */
  remove(reference: string): Promise<void>;
  prune(): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>;
}

export interface LogLine {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The text with its line end; a part of a longer line has none. */
  readonly data: Uint8Array;
}

/** The logs of tasks, also of ones that are gone. */
export interface LogSource {
  /** Throws NotFoundError where there is none. With `follow` it goes on until the task has ended. */
  read(
    ref: TaskRef,
    options: {
      readonly attempt?: number;
      readonly follow: boolean;
      readonly sinceMs?: number;
      readonly tail?: number;
      readonly signal: AbortSignal;
    },
  ): AsyncIterable<LogLine>;
}

/** Where desired state comes from, for administrators. */
export interface AboutDesiredState {
  /** The server's URL or the folder of manifests; empty: from nowhere. */
  readonly source: string;
  /** Whether it has been read once; a text says what is still missing. */
  readonly ready: true | string;
  /** What should be known although all works, a sentence each. */
  readonly notes: readonly string[];
}

/** What desired state says of a task. */
export interface DesiredState {
  /** The object and what its status is or would be; undefined for a task that has no NodeTask. */
  describe(ref: TaskRef): unknown;
  /** Objects that have no task: their names on the node, a status for people and its reason. */
  withoutTask(): readonly { readonly ref: TaskRef; readonly status: string; readonly image: string }[];
  restarts(ref: TaskRef): number | undefined;
  /** Where it comes from, and how it is with that. */
  about?(): AboutDesiredState;
  /** Is followed no more until the next agent, so that what is stopped stays so. Done before is success. */
  suspend?(): Promise<void>;
}

/** What a client shows to take up a session that an object of the cluster announces. */
export interface SessionTicket {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly secret: Uint8Array;
  /** The client's terminal. */
  readonly size?: TerminalSize;
  readonly logs?: {
    readonly follow: boolean;
    readonly attempt?: number;
    readonly sinceMs?: number;
    readonly tail?: number;
  };
  /** `readings`: 0 is until the client leaves. */
  readonly top?: { readonly intervalMs: number; readonly readings: number };
}

interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** What comes from the client of a session. */
export type SessionInput =
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'closeStdin' }
  | { readonly kind: 'signal'; readonly signal: number };

/** What goes to it. */
export type SessionOutput =
  | { readonly kind: 'started'; readonly terminal: boolean; readonly recorded: boolean }
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly kind: 'log'; readonly line: LogLine }
  /** What the task uses now. */
  | { readonly kind: 'usage'; readonly task: Task }
  | { readonly kind: 'exit'; readonly status: number; readonly reason: string };

/** The other end of a session's stream. */
export interface SessionClient {
  readonly input: AsyncIterator<SessionInput>;
  /** Resolves when more may be sent. Throws CancelledError when the client has gone. */
  send(output: SessionOutput): Promise<void>;
  /** Aborts when it has gone. */
  readonly signal: AbortSignal;
}

/** Who decides about sessions and holds them. */
export interface SessionDoor {
  /** Looks at the ticket, once, and serves the session to its end. Throws what the client is to be told when it is refused. */
  open(ticket: SessionTicket, client: SessionClient): Promise<void>;
}
