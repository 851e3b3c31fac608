import type { Exit } from '#task/runtime.ts';
import type { NodeTaskStatus } from '../node-task/types.ts';
import type { MakingJob } from './making-job.ts';
import type { Trouble } from './view.ts';

/** What is known of an object only while this agent lives; the next one finds out for itself. */
export interface ObjectMemory {
  /** A task that is being made now. */
  job?: MakingJob;
  trouble?: Trouble;
  seenExit?: { readonly attempt: number; readonly exit: Exit };
  reached?: { readonly generation: number; readonly attempt: number };
  /** Whether its source keeps it until it is released. */
  claimed?: boolean;
  /** The generation with which everything of it was removed, because its source had let it go. */
  letGo?: number;
  /** What was said of it last. */
  status?: NodeTaskStatus;
}

/** The memory of all objects, by UID. */
export class ObjectMemories {
  readonly #byUid = new Map<string, ObjectMemory>();

  of(uid: string): ObjectMemory {
    const memory = this.#byUid.get(uid) ?? {};
    this.#byUid.set(uid, memory);
    return memory;
  }

  forget(uid: string): void {
    this.#byUid.delete(uid);
  }

  all(): readonly ObjectMemory[] {
    return [...this.#byUid.values()];
  }
}
