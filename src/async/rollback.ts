type Undo = () => void | Promise<void>;

/**
 * What to undo, last first, when a block is left before `keep()`. Every step is tried even if one before it failed; the
 * failures come together in an AggregateError, which the runtime chains to the error that left the block.
 */
export class Rollback implements AsyncDisposable {
  #steps: Undo[] = [];

  add(undo: Undo): void {
    this.#steps.push(undo);
  }

  /** It worked: nothing is undone. */
  keep(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#steps.toReversed()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#steps = [];
    if (failures.length > 0) throw new AggregateError(failures, 'could not undo everything');
  }
}
