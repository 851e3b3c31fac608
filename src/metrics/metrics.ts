import type { CgroupFolders } from '#cgroup/group.ts';
import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { AgentMetrics } from './agent.ts';
import { NodeBudget } from './budget.ts';
import { boundStats, defaultLimits, type CardinalityLimits } from './cardinality.ts';
import { familiesOf } from './container/families.ts';
import type { TaskFacts } from './container/sample.ts';
import { DeviceNames } from './device-names.ts';
import { Exposition, type Format } from './exposition.ts';
import { FinishedTasks } from './finished.ts';
import { Slices } from './slices.ts';
import { Snapshots } from './snapshot.ts';
import { TaskSeries, writeReading } from './task-series.ts';
import { writeAgent } from './write-agent.ts';

/** What others know of a task. */
export interface TaskDescription {
  readonly kubeNamespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly image?: string | undefined;
  readonly restarts?: number | undefined;
  /** Of the run before, as far as it is on record. */
  readonly lastExitStatus?: number | undefined;
}

export interface MetricsOptions {
  readonly tasks: TaskManager;
  readonly describe: (task: Task) => TaskDescription;
  readonly profile: StatsDetail;
  readonly limits?: CardinalityLimits;
  /** The cgroup that holds those of all tasks. */
  readonly budget?: CgroupFolders;
  readonly build: { readonly version: string; readonly revision?: string };
  readonly log: Log;
}

/** All that this agent exports: the numbers of its tasks, made anew at each scrape, and its own. */
export class Metrics implements Disposable {
  readonly agent: AgentMetrics;
  readonly #options: MetricsOptions;
  readonly #finished: FinishedTasks;
  readonly #snapshots: Snapshots;
  readonly #budget: NodeBudget | undefined;
  readonly #subscriptions: readonly Disposable[];
  #lastBytes = 0;

  constructor(options: MetricsOptions) {
    const { tasks, profile, build, log, budget, limits = defaultLimits } = options;
    this.#options = options;
    this.#budget = budget && new NodeBudget(budget);
    this.agent = new AgentMetrics(build);
    this.#finished = new FinishedTasks(this.agent, (ref: TaskRef) => tasks.find(ref));
    this.#subscriptions = [
      tasks.events.subscribe((event) => this.#finished.onEvent(event)),
      tasks.operations.subscribe(({ verb, durationMs, ...failure }) =>
        this.agent.operation(verb, durationMs / 1000, 'error' in failure ? errorCode(failure.error) : undefined),
      ),
    ];
    const devices = new DeviceNames();
    const source = {
      tasks: () => tasks.list(),
      facts: (task: Task) => this.#facts(task),
      profile,
      bound: (stats: TaskStats) =>
        boundStats(stats, limits, {
          deviceName: (number: string) => devices.of(number),
          dropped: (label, count) => this.agent.dropped(label, count),
        }),
      failed: (task: Task, error: unknown) => {
        this.agent.collectorErrors.inc();
        log.warn({ task: refKey(task.ref), reason: errorMessage(error) }, 'cannot read the statistics of a task');
      },
    };
    this.#snapshots = new Snapshots(source, new TaskSeries(familiesOf(profile)));
  }

  /** Reads and writes everything now; no slice of the work takes more than some milliseconds. */
  async expose(format: Format): Promise<Buffer> {
    const out = new Exposition(format, Math.ceil(this.#lastBytes * 1.1));
    const read = this.agent.collectorDuration.startTimer({ collector: 'read' });
    const reading = await this.#snapshots.read();
    read();
    const write = this.agent.collectorDuration.startTimer({ collector: 'write' });
    await writeReading(reading, out, new Slices());
    this.#writeBudget(out);
    write();
    writeAgent(await this.agent.registry.getMetricsAsJSON(), out);
    const body = out.end();
    this.#lastBytes = body.length;
    return body;
  }

  [Symbol.dispose](): void {
    for (const subscription of [...this.#subscriptions, this.agent]) subscription[Symbol.dispose]();
    this.#budget?.[Symbol.dispose]();
  }

  #writeBudget(out: Exposition): void {
    try {
      this.#budget?.write(out);
    } catch (error) {
      this.agent.collectorErrors.inc();
      this.#options.log.warn({ reason: errorMessage(error) }, 'cannot read what all tasks use together');
    }
  }

  #facts(task: Task): TaskFacts {
    const { ref, status, startedAtMs, record, exit } = task;
    const known = this.#options.describe(task);
    return {
      status,
      startedAtMs,
      kubeNamespace: known.kubeNamespace ?? '',
      uid: known.uid ?? '',
      image: known.image ?? '',
      runtime: record.runtime,
      restarts: known.restarts ?? 0,
      lastExitStatus: exit?.status ?? known.lastExitStatus ?? this.#finished.lastExitStatus(ref),
    };
  }
}
