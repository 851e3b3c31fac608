import { TerminalError, errorCode } from '#errors/errors.ts';

export type MakingPhase = 'image' | 'making';

/** A making that goes on in the background. */
export class MakingJob {
  readonly attempt: number;
  readonly hash: string;
  readonly generation: number;
  /** What is shown of it: `image` only while one is really pulled. */
  phase: MakingPhase = 'making';
  /** Where it is, for what a failure is called. */
  step: MakingPhase = 'making';
  readonly #abort = new AbortController();

  constructor(options: { readonly attempt: number; readonly hash: string; readonly generation: number }) {
    this.attempt = options.attempt;
    this.hash = options.hash;
    this.generation = options.generation;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get cancelled(): boolean {
    return this.#abort.signal.aborted;
  }

  cancel(reason: string): void {
    this.#abort.abort(new Error(reason));
  }
}

/** What a failed making is called: what is only not there yet is waited for. */
export function troubleReason(error: unknown, step: MakingPhase): string {
  if (error instanceof TerminalError) return error.reason;
  if (step === 'image') return 'PullFailed';
  const code = errorCode(error);
  return code === 'unavailable' || code === 'not-found' ? 'Pending' : 'StartFailed';
}
