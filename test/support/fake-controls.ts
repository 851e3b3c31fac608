import type { Runtime } from '#task/runtime.ts';

/** The methods of the port that can be made to fail or to take their time. */
export type Method = Exclude<keyof Runtime, 'openStats' | 'waited' | 'bundlePath'>;

/** A call that stands still until it is let go on. */
export interface HeldCall {
  /** Resolves when the call has come. */
  readonly reached: Promise<void>;
  release(): void;
}

/** What a test decides of the next calls, and what calls have been made. */
export class FakeControls {
  /** `method namespace/id`, in order. */
  readonly calls: string[] = [];
  readonly #failures = new Map<Method, unknown[]>();
  readonly #holds = new Map<Method, { reached: () => void; go: Promise<void> }[]>();

  /** Makes the next call of a method throw, before it has done anything. */
  fail(method: Method, error: unknown): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Makes the next call of a method stand still, before it has done anything. */
  hold(method: Method): HeldCall {
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const held = { reached: reached.resolve, go: go.promise };
    this.#holds.set(method, [...(this.#holds.get(method) ?? []), held]);
    return { reached: reached.promise, release: () => go.resolve() };
  }

  /** A call comes in. Throws what was decided, or the signal's reason. */
  async enter(method: Method, whose: string, signal?: AbortSignal): Promise<void> {
    this.calls.push(`${method} ${whose}`);
    const held = this.#holds.get(method)?.shift();
    held?.reached();
    await held?.go;
    const failures = this.#failures.get(method);
    if (failures && failures.length > 0) throw failures.shift();
    signal?.throwIfAborted();
  }
}
