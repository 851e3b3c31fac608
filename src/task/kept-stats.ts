import type { TaskStats } from '#cgroup/stats.ts';
import type { TaskRef } from './ids.ts';
import type { Runtime, StatsSource } from './runtime.ts';

/** A task's cgroup reader, opened by the first reading and kept for the next ones. */
export class KeptStats implements Disposable {
  readonly #runtime: Runtime;
  readonly #ref: TaskRef;
  #source: StatsSource | undefined;

  constructor(runtime: Runtime, ref: TaskRef) {
    this.#runtime = runtime;
    this.#ref = ref;
  }

  /** Reads now; undefined when the cgroup is gone. */
  read(): TaskStats | undefined {
    this.#source ??= this.#runtime.openStats(this.#ref);
    const stats = this.#source.read();
    if (!stats) this[Symbol.dispose]();
    return stats;
  }

  /** Closes the files; a reading after this opens them again. */
  [Symbol.dispose](): void {
    this.#source?.[Symbol.dispose]();
    this.#source = undefined;
  }
}
