import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { refKey } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import type { TaskFacts, TaskSample } from './container/sample.ts';
import { Slices } from './slices.ts';

export interface SnapshotSource {
  readonly tasks: () => readonly Task[];
  readonly facts: (task: Task) => TaskFacts;
  readonly profile: StatsDetail;
  readonly bound: (stats: TaskStats) => TaskStats;
  /** A task whose numbers could not be read: it has none in this snapshot. */
  readonly failed: (task: Task, error: unknown) => void;
}

/** Reads all tasks, in the order of their names. Readings that overlap are one. */
export class Snapshots {
  readonly #source: SnapshotSource;
  #running: Promise<readonly TaskSample[]> | undefined;

  constructor(source: SnapshotSource) {
    this.#source = source;
  }

  read(): Promise<readonly TaskSample[]> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #read(): Promise<readonly TaskSample[]> {
    const slices = new Slices();
    const samples: TaskSample[] = [];
    for (const task of inOrder(this.#source.tasks())) {
      samples.push(this.#sample(task));
      await slices.rest();
    }
    return samples;
  }

  #sample(task: Task): TaskSample {
    const { ref } = task;
    const stats = this.#stats(task);
    // The facts come second: of a task that has ended meanwhile they say so.
    return { ref, facts: this.#source.facts(task), ...(stats ? { stats } : {}) };
  }

  #stats(task: Task): TaskStats | undefined {
    const { profile, bound, failed } = this.#source;
    try {
      const stats = task.stats(profile);
      return stats && bound(stats);
    } catch (error) {
      failed(task, error);
      return undefined;
    }
  }
}

function inOrder(tasks: readonly Task[]): readonly Task[] {
  return tasks
    .map((task) => ({ task, key: refKey(task.ref) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ task }) => task);
}
