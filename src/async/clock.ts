import { setTimeout as delay } from 'node:timers/promises';

/** Time as a value, so that tests turn the hands. */
export interface Clock {
  /** Wall clock, milliseconds since 1970; it may jump. */
  nowMs(): number;
  /** Monotonic milliseconds from an arbitrary origin; it never goes back. */
  monotonicMs(): number;
  /** Waits; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls once after `ms`; the returned function takes it back. Does not keep the program alive. */
  after(ms: number, call: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

/** Node holds timers in a signed 32-bit count of milliseconds; what is longer is waited for in pieces. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    for (let left = ms; left > 0; left -= longestTimerMs) {
      await delay(Math.min(left, longestTimerMs), undefined, signal ? { signal } : {});
    }
  },
  after: (ms, call) => {
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      const step = Math.min(left, longestTimerMs);
      timer = setTimeout(() => (left > step ? arm(left - step) : call()), step);
      timer.unref();
    };
    arm(Math.max(0, ms));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
