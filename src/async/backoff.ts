import type { Clock } from './clock.ts';

export interface BackoffPolicy {
  readonly firstMs: number;
  readonly factor: number;
  readonly capMs: number;
  /** Share of the wait that is random, 0 to 1: spreads retries of many callers. */
  readonly jitter: number;
}

/** The wait before attempt number `failures` (1 is the first retry), in milliseconds. */
export function backoffMs(policy: BackoffPolicy, failures: number, random: () => number): number {
  if (failures <= 0) return 0;
  const full = Math.min(policy.capMs, policy.firstMs * policy.factor ** (failures - 1));
  return full * (1 - policy.jitter * random());
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly policy: BackoffPolicy;
  readonly signal?: AbortSignal;
  /** Whether this failure may go away by itself. */
  readonly retryable: (error: unknown) => boolean;
  /** How many times in all the work may run. */
  readonly attempts: number;
  /** A wait that the failure itself asks for, such as a server's Retry-After; the longer of the two counts. */
  readonly atLeastMs?: (error: unknown) => number | undefined;
}

/** The only loop that tries again: runs `work` until it succeeds, fails for good or has used its attempts. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= options.attempts || !options.retryable(error)) throw error;
      const ms = backoffMs(options.policy, attempt, () => options.clock.random());
      await options.clock.sleep(Math.max(ms, options.atLeastMs?.(error) ?? 0), options.signal);
    }
  }
}
