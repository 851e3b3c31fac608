import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { refKey } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import type { TaskFacts, TaskSample } from './container/sample.ts';
import { Slices } from './slices.ts';
import { taskLabels, type Reading, type TaskLabels, type TaskSeries } from './task-series.ts';

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
  readonly #series: TaskSeries;
  readonly #names = new WeakMap<Task, TaskName>();
  #running: Promise<Reading> | undefined;

  constructor(source: SnapshotSource, series: TaskSeries) {
    this.#source = source;
    this.#series = series;
  }

  /** No slice of the work takes more than some milliseconds. */
  read(): Promise<Reading> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #read(): Promise<Reading> {
    const slices = new Slices();
    const reading = this.#series.begin();
    for (const { task, labels } of this.#inOrder()) {
      this.#series.read(this.#sample(task), labels);
      const rest = slices.rest();
      if (rest) await rest;
    }
    return reading;
  }

  #sample(task: Task): TaskSample {
    const { ref } = task;
    const stats = this.#stats(task);
    // The facts come second: of a task that has ended meanwhile they say so.
    return { ref, facts: this.#source.facts(task), stats };
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

  #inOrder(): readonly TaskName[] {
    const names = this.#source.tasks().map((task) => this.#nameOf(task));
    return names.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  #nameOf(task: Task): TaskName {
    const known = this.#names.get(task);
    if (known) return known;
    const made = { task, key: refKey(task.ref), labels: taskLabels(task.ref) };
    this.#names.set(task, made);
    return made;
  }
}

/** What is kept of a task from one scrape to the next. */
interface TaskName {
  readonly task: Task;
  readonly key: string;
  readonly labels: TaskLabels;
}
