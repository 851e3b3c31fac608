import type { Exit } from '#task/runtime.ts';
import type { Phase } from '#task/state.ts';
import type { NodeTask, Resources } from '../node-task/types.ts';
import type { ObjectRecord } from './record.ts';
import type { ObjectEvent, SourceObject } from './source.ts';

/** A task of the object as the node has it now. */
export interface LiveTask {
  readonly phase: Phase;
  readonly pid: number;
  readonly attempt: number;
  /** Of the container fields that it was made from. */
  readonly hash: string;
  /** The resources that it was made with. */
  readonly resources: Resources | null;
  readonly startedAtMs?: number;
  /** Known in phase stopped. */
  readonly exit?: Exit;
  /** Whether the kernel has other limits than those that were asked of it last: somebody else has set them. */
  readonly limitsDiffer: boolean;
}

/** A making that failed, and when it may be tried again. */
export interface Trouble {
  /** Such as `PullFailed`, `StartFailed`, `PolicyViolation`. */
  readonly reason: string;
  readonly message: string;
  /** Nothing but a change of the object or of the node can help. */
  readonly terminal: boolean;
  readonly failures: number;
  readonly retryAtMs: number;
  /** The spec that it is about: another one is tried at once. */
  readonly generation: number;
  readonly hash: string;
}

/** Everything that a decision about one object is made of: a value. */
export interface View {
  readonly nowMs: number;
  readonly bootId: string;
  readonly nodeName: string;
  readonly object: SourceObject;
  readonly record?: ObjectRecord;
  readonly live?: LiveTask;
  /** An end that was seen of a task that is gone since. */
  readonly seenExit?: { readonly attempt: number; readonly exit: Exit };
  /** A task is being made in the background. */
  readonly making?: { readonly hash: string; readonly phase: string };
  readonly trouble?: Trouble;
  /** Fields below spec.resources that this machine cannot do. */
  readonly notSupported: readonly string[];
  /** Where it has been as its object asks, in this generation: what differs later is somebody else's doing. */
  readonly reached?: { readonly generation: number; readonly attempt: number };
}

/** A view whose object is valid and known. */
export interface KnownView extends View {
  readonly task: NodeTask;
  readonly record: ObjectRecord;
  /** Of the spec as it is now. */
  readonly hash: string;
}

/** One step towards what is asked; after each the world is looked at again. */
export type Action =
  /** Keeps something in mind, durably, and tells of it. */
  | { readonly do: 'remember'; readonly record: ObjectRecord; readonly events: readonly ObjectEvent[] }
  /** Begins to make the task, in the background. */
  | { readonly do: 'make'; readonly attempt: number; readonly hash: string; readonly drift: boolean }
  | { readonly do: 'cancelMaking' }
  | { readonly do: 'start' }
  | { readonly do: 'pause' | 'resume'; readonly drift: boolean }
  /** Begins to end it; `record` knows of the stop. */
  | {
      readonly do: 'signal';
      readonly signal: number;
      readonly record: ObjectRecord;
      readonly events: readonly ObjectEvent[];
    }
  | { readonly do: 'kill' }
  | { readonly do: 'update'; readonly drift: boolean }
  /** Removes a task that has ended or never started, with its layer. */
  | { readonly do: 'endRun' }
  /** Removes everything of the object from the node. */
  | { readonly do: 'remove' }
  /** Its time is over: asks the source to delete it. */
  | { readonly do: 'deleteObject' };

/** Why it is not as its object asks yet, for people. */
export interface Hold {
  /** A reason of the condition Ready. */
  readonly reason: string;
  readonly message: string;
  /** Nothing but a change of the object, policy or node can help. */
  readonly stalled?: boolean;
}

/** What to do next, or what is being waited for. */
export interface Plan {
  readonly action?: Action;
  readonly hold?: Hold;
  /** When to look again although nobody says so, wall clock. */
  readonly againAtMs?: number;
}
