import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { ObjectMemories } from './object-memory.ts';
import { change, type ObjectRecord, type Stopwatch } from './record.ts';
import type { RecordStore } from './record-store.ts';

/** A clock that runs a little fast or slow loses less than this between two looks; who sets it, mostly more. */
const jumpMs = 1000;
/** No limit that could not be set is left alone for longer. */
const longestRetryMs = 60_000;

export interface WallClockOptions {
  readonly clock: Clock;
  readonly records: RecordStore;
  readonly memories: ObjectMemories;
  readonly log: Log;
}

/**
 * Wall time for decisions about objects. Waits, grace periods and deadlines are remembered by the wall clock, because it goes on
 * over reboots; when somebody sets it, all of them move with it, so that nobody is killed or started too early or too late.
 */
export class WallClock {
  readonly #options: WallClockOptions;
  #aheadMs: number;

  constructor(options: WallClockOptions) {
    this.#options = options;
    this.#aheadMs = ahead(options.clock);
  }

  /** Milliseconds since 1970. */
  nowMs(): number {
    const { clock, log } = this.#options;
    const aheadMs = ahead(clock);
    const byMs = Math.round(aheadMs - this.#aheadMs);
    this.#aheadMs = aheadMs;
    if (Math.abs(byMs) >= jumpMs) {
      log.warn(
        { byMs },
        'the clock of the machine was set; waits and deadlines of tasks go by the time that has passed',
      );
      this.#move(byMs);
    }
    return clock.nowMs();
  }

  /** Mends what was noted by a clock that has been set back since, while no agent was there. After the records were read. */
  heal(): void {
    const { records, clock } = this.#options;
    for (const record of records.all()) {
      const healed = notAhead(record, clock.nowMs());
      if (healed !== record) records.put(healed);
    }
  }

  #move(byMs: number): void {
    const { records, memories } = this.#options;
    for (const record of records.all()) records.put(moved(record, byMs));
    for (const memory of memories.all()) {
      if (memory.trouble) memory.trouble = { ...memory.trouble, retryAtMs: memory.trouble.retryAtMs + byMs };
    }
  }
}

/** How far the wall clock is ahead of one that nobody can set. */
function ahead(clock: Clock): number {
  return clock.nowMs() - clock.monotonicMs();
}

/** The times by which decisions are made; those that people read stay what they were. */
interface Times {
  readonly watch: (watch: Stopwatch) => Stopwatch;
  readonly end: (atMs: number) => number;
  readonly kill: (atMs: number) => number;
  readonly retry: (atMs: number) => number;
}

function moved(record: ObjectRecord, byMs: number): ObjectRecord {
  const move = (atMs: number) => atMs + byMs;
  const watch = (one: Stopwatch) => (one.sinceMs === undefined ? one : { ...one, sinceMs: move(one.sinceMs) });
  return withTimes(record, { watch, end: move, kill: move, retry: move });
}

/** The same record where no time is further ahead than it can have been when it was noted. */
function notAhead(record: ObjectRecord, nowMs: number): ObjectRecord {
  const healed = withTimes(record, {
    watch: (one) => (one.sinceMs === undefined || one.sinceMs <= nowMs ? one : { ...one, sinceMs: nowMs }),
    end: atMost(nowMs),
    kill: atMost(nowMs + record.stopping.graceSeconds * 1000),
    retry: atMost(nowMs + longestRetryMs),
  });
  return JSON.stringify(healed) === JSON.stringify(record) ? record : healed;
}

function atMost(limitMs: number): (atMs: number) => number {
  return (atMs) => Math.min(atMs, limitMs);
}

function withTimes(record: ObjectRecord, { watch, end, kill, retry }: Times): ObjectRecord {
  const { run, backOff, stop, outcome, applied } = record;
  return change(record, {
    run: run && watch(run),
    backOff: backOff && { ...backOff, waited: watch(backOff.waited) },
    stop: stop && { ...stop, killAtMs: kill(stop.killAtMs) },
    outcome: outcome && { ...outcome, atMs: end(outcome.atMs) },
    applied: applied?.problem
      ? { ...applied, problem: { ...applied.problem, retryAtMs: retry(applied.problem.retryAtMs) } }
      : applied,
  });
}
