import type { Clock } from '#async/clock.ts';
import { DeadlineExceededError } from '#errors/errors.ts';

/** Aborts its signal when nobody has fed it for a time: a connection whose other end is gone says nothing, for ever. */
export class Watchdog implements Disposable {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #parent: AbortSignal;
  readonly #follow = () => this.#controller.abort(this.#parent.reason);
  #cancel: () => void = () => {};
  #bitten = false;

  constructor(options: { readonly clock: Clock; readonly limitMs: number; readonly parent: AbortSignal }) {
    this.#clock = options.clock;
    this.#limitMs = options.limitMs;
    this.#parent = options.parent;
    if (this.#parent.aborted) this.#follow();
    else this.#parent.addEventListener('abort', this.#follow, { once: true });
    this.feed();
  }

  /** Follows the parent too. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was silence that aborted. */
  get bitten(): boolean {
    return this.#bitten;
  }

  /** Something came. */
  feed(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(this.#limitMs, () => {
      this.#bitten = true;
      this.#controller.abort(new DeadlineExceededError(`nothing came for ${this.#limitMs} ms`));
    });
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#parent.removeEventListener('abort', this.#follow);
  }
}
