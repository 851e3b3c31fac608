import { setImmediate as turn } from 'node:timers/promises';

/** A scrape works this long before it lets others run: far below the 10 ms that nobody may be held up. */
const sliceMs = 4;

/** Cuts long work so that it never holds up the event loop: `rest` returns at once until the slice is used up. */
export class Slices {
  #began = performance.now();

  rest(): Promise<void> | undefined {
    return performance.now() - this.#began < sliceMs ? undefined : this.#next();
  }

  async #next(): Promise<void> {
    await turn();
    this.#began = performance.now();
  }
}
