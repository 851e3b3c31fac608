import type { Runtime } from '#task/runtime.ts';

/** The methods of the port that can be made to fail or to take their time. */
export type Method = Exclude<keyof Runtime, 'openStats' | 'waited' | 'bundlePath'>;

/** A call that stands still until it is let go on. */
export interface HeldCall {
  /** Resolves when the call has come there. */
  readonly reached: Promise<void>;
  /** Lets it go on, or fail with an error. */
  release(error?: unknown): void;
}

interface Hold {
  readonly reached: () => void;
  readonly go: Promise<void>;
}

/** What a test decides of the next calls, and what calls have been made. */
export class FakeControls {
  /** `method namespace/id`, in order. */
  readonly calls: string[] = [];
  /** Awaited at the beginning and at the end of each call: a test may stretch them. */
  pace: () => Promise<void> = () => Promise.resolve();
  readonly #failures = new Map<Method, unknown[]>();
  readonly #holds = new Map<string, Hold[]>();

  /** Makes the next call of a method throw, before it has done anything. */
  fail(method: Method, error: unknown): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Makes the next call of a method stand still, before it has done anything. */
  hold(method: Method): HeldCall {
    return this.#hold(`before ${method}`);
  }

  /** Makes the next call that makes or starts something stand still when it has done its work and is about to return. */
  holdReturn(method: 'create' | 'start' | 'startExec' | 'pause' | 'resume' | 'checkpoint'): HeldCall {
    return this.#hold(`after ${method}`);
  }

  /** A call comes in. Throws what was decided, or the signal's reason. */
  async enter(method: Method, whose: string, signal?: AbortSignal): Promise<void> {
    this.calls.push(`${method} ${whose}`);
    await this.pace();
    await this.#pass(`before ${method}`);
    const failures = this.#failures.get(method);
    if (failures && failures.length > 0) throw failures.shift();
    signal?.throwIfAborted();
  }

  /** A call has done its work. */
  async leave(method: Method): Promise<void> {
    await this.pace();
    await this.#pass(`after ${method}`);
  }

  #hold(where: string): HeldCall {
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    this.#holds.set(where, [...(this.#holds.get(where) ?? []), { reached: reached.resolve, go: go.promise }]);
    return {
      reached: reached.promise,
      release: (error) => (error === undefined ? go.resolve() : go.reject(error)),
    };
  }

  async #pass(where: string): Promise<void> {
    const held = this.#holds.get(where)?.shift();
    held?.reached();
    await held?.go;
  }
}
