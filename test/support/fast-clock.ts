import type { Clock } from '#async/clock.ts';
import { systemClock } from '#async/clock.ts';

/** The machine's clock, with every wait shorter by a factor: waits of minutes in tests with real servers. */
export function fastClock(factor: number): Clock {
  return {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs() * factor,
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
    after: (ms, call) => systemClock.after(ms / factor, call),
    random: () => systemClock.random(),
  };
}
