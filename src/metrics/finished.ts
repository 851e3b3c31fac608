import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskEvent } from '#task/events.ts';
import type { Task } from '#task/task.ts';
import type { AgentMetrics } from './agent.ts';

const microsecondsASecond = 1_000_000;

/** Counts what tasks did that have ended, so that one that is shorter than a scrape interval is not invisible. */
export class FinishedTasks {
  readonly #metrics: AgentMetrics;
  readonly #find: (ref: TaskRef) => Task | undefined;
  readonly #lastExits = new Map<string, number>();

  constructor(metrics: AgentMetrics, find: (ref: TaskRef) => Task | undefined) {
    this.#metrics = metrics;
    this.#find = find;
  }

  /** To be told every event of a task. */
  onEvent(event: TaskEvent): void {
    if (event.topic !== '/tasks/exit' || event.id !== event.containerId) return;
    const ref = { namespace: event.namespace, id: event.containerId };
    const exit = this.#find(ref)?.exit;
    if (!exit) return;
    this.#lastExits.set(refKey(ref), exit.status);
    this.#metrics.finishedTasks.inc({ reason: exit.reason });
    this.#metrics.finishedCpu.inc(Number(exit.final?.cpuUsageUsec ?? 0n) / microsecondsASecond);
    this.#metrics.finishedOomKills.inc(Number(exit.final?.oomKills ?? 0n));
  }

  /** Exit status of the last run that this agent saw end. */
  lastExitStatus(ref: TaskRef): number | undefined {
    return this.#lastExits.get(refKey(ref));
  }

  /** Forgets the tasks whose records are gone. */
  forget(known: (key: string) => boolean): void {
    for (const key of this.#lastExits.keys()) if (!known(key)) this.#lastExits.delete(key);
  }
}
