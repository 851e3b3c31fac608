import type { TaskStats } from '#cgroup/stats.ts';
import type { TaskRef } from '#task/ids.ts';
import type { Status } from '#task/state.ts';

/** What is known of a task besides its cgroup's numbers. */
export interface TaskFacts {
  readonly status: Status;
  readonly kubeNamespace: string;
  readonly uid: string;
  readonly image: string;
  readonly runtime: string;
  readonly startedAtMs?: number | undefined;
  readonly restarts: number;
  /** Of this run when it has ended, else of the one before. */
  readonly lastExitStatus?: number | undefined;
}

/** A task at the moment of a scrape. */
export interface TaskSample {
  readonly ref: TaskRef;
  readonly facts: TaskFacts;
  /** Absent once its process has ended. */
  readonly stats?: TaskStats | undefined;
}
