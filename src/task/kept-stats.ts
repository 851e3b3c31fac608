import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import type { TaskRef } from './ids.ts';
import type { Runtime, StatsSource } from './runtime.ts';

/** A task's cgroup reader, opened by the first reading and kept for the next ones. */
export class KeptStats implements Disposable {
  readonly #runtime: Runtime;
  readonly #ref: TaskRef;
  #source: StatsSource | undefined;
  #closed = false;

  constructor(runtime: Runtime, ref: TaskRef) {
    this.#runtime = runtime;
    this.#ref = ref;
  }

  /** Reads now; undefined when the cgroup is gone or this is closed. */
  read(detail?: StatsDetail): TaskStats | undefined {
    if (this.#closed) return undefined;
    this.#source ??= this.#runtime.openStats(this.#ref);
    const stats = this.#source.read(detail);
    if (!stats) this.#letGo();
    return stats;
  }

  /** Closes the files for good. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#letGo();
  }

  #letGo(): void {
    this.#source?.[Symbol.dispose]();
    this.#source = undefined;
  }
}
