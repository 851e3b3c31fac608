import type { Clock } from '#async/clock.ts';
import type { Exit } from './runtime.ts';

/**
 * How long the end of a task's first process waits for the ends of its execs: more than the second in which the runtime
 * notices a process that has lost its monitor.
 */
const patienceMs = 3_000;

/** What the end of a first process waits for. */
export interface Company {
  /** Whether a process that exec added still has to be told of. */
  hasLiveExecs(): boolean;
  /** Ends those as lost. */
  giveUpExecs(): void;
  /** Now nothing comes before the exit any more. */
  end(exit: Exit): void;
}

/** Holds the exit of a task's first process until those of its execs have been told, because it is to be the last. */
export class InitEnd implements Disposable {
  readonly #clock: Clock;
  readonly #company: Company;
  #exit: Exit | undefined;
  #done = false;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, company: Company) {
    this.#clock = clock;
    this.#company = company;
  }

  /** Whether the end is known, told of or not. */
  get known(): boolean {
    return this.#exit !== undefined;
  }

  /** The first process has ended; a second telling counts for nothing. */
  ended(exit: Exit): void {
    if (this.#exit) return;
    this.#exit = exit;
    if (this.#company.hasLiveExecs()) this.#cancel = this.#clock.after(patienceMs, () => this.#company.giveUpExecs());
    this.check();
  }

  /** Something has ended: looks whether the first process is the last one now. */
  check(): void {
    if (!this.#exit || this.#done || this.#company.hasLiveExecs()) return;
    this.#done = true;
    this[Symbol.dispose]();
    this.#company.end(this.#exit);
  }

  /** Waits no longer. */
  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
