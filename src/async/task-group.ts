/** Owns promises that nobody awaits at the place where they are made, so that none floats and a close can wait for all. */
export class TaskGroup implements AsyncDisposable {
  readonly #pending = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Runs `work` now; its failure goes to the group's error handler. */
  spawn(work: () => Promise<void>): void {
    const promise = work()
      .catch(this.#onError)
      .finally(() => this.#pending.delete(promise));
    this.#pending.add(promise);
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Waits until everything that was spawned, also meanwhile, has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}
