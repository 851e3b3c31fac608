import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { descriptorLimit, KeptFile } from '#host/kept-file.ts';
import { listNames } from '#host/files.ts';
import type { Bounded } from './cardinality.ts';

/** prom-client's gauges whose names end as only a counter's may, and those that are counted better here. */
const leftOut = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'process_open_fds',
  'process_max_fds',
];

const operationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const scrapeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** The agent's own metrics, as data for `docs/metrics.md`; the order is that of the exposition. */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly buildInfo = this.#gauge('runlet_build_info', 'The running program; always 1.', [
    'version',
    'revision',
    'node_version',
  ]);
  readonly operations = new Histogram({
    name: 'runlet_operation_duration_seconds',
    help: 'Time that verbs of the Task interface took, failed ones included.',
    labelNames: ['operation'] as const,
    buckets: operationBuckets,
    registers: [this.registry],
  });
  readonly operationErrors = this.#counter(
    'runlet_operation_errors_total',
    'Verbs of the Task interface that failed.',
    ['operation', 'reason'],
  );
  readonly finishedTasks = this.#counter(
    'runlet_finished_tasks_total',
    'Runs of tasks that have ended since the agent began, by how.',
    ['reason'],
  );
  readonly finishedCpu = this.#counter(
    'runlet_finished_cpu_seconds_total',
    'CPU time of runs of tasks that have ended since the agent began.',
    [],
  );
  readonly finishedOomKills = this.#counter(
    'runlet_finished_oom_kills_total',
    'Out-of-memory kills in runs of tasks that have ended since the agent began.',
    [],
  );
  readonly collectorDuration = new Histogram({
    name: 'runlet_collector_duration_seconds',
    help: 'Time that a part of a scrape took.',
    labelNames: ['collector'] as const,
    buckets: scrapeBuckets,
    registers: [this.registry],
  });
  readonly collectorErrors = this.#counter(
    'runlet_collector_errors_total',
    'Tasks whose cgroup could not be read at a scrape.',
    [],
  );
  readonly droppedSeries = this.#counter(
    'runlet_dropped_label_values_total',
    'Devices, interfaces and page sizes left out of a scrape to bound its series.',
    ['label'],
  );
  readonly spawn = new Histogram({
    name: 'runlet_spawn_duration_seconds',
    help: 'Time for which starting a program held up the agent.',
    buckets: scrapeBuckets,
    registers: [this.registry],
  });
  readonly logBytes = this.#counter(
    'runlet_log_bytes_total',
    'Bytes of task logs that have been set aside by rotation.',
    [],
  );
  readonly logRotations = this.#counter(
    'runlet_log_rotations_total',
    'Task logs that were set aside because they had grown too long.',
    [],
  );
  readonly orphans = this.#counter('runlet_orphans_total', 'Things found that belong to no task, by kind.', ['kind']);
  readonly queueDepth = this.#gauge('runlet_workqueue_depth', 'Objects that wait to be reconciled.', []);
  readonly queueAdds = this.#counter('runlet_workqueue_adds_total', 'Objects given to the work queue.', []);
  readonly queueRetries = this.#counter(
    'runlet_workqueue_retries_total',
    'Reconciliations that are tried again after a failure.',
    [],
  );
  readonly reconcile = new Histogram({
    name: 'runlet_reconcile_duration_seconds',
    help: 'Time that a reconciliation of one object took.',
    labelNames: ['result'] as const,
    buckets: operationBuckets,
    registers: [this.registry],
  });
  readonly watchReconnects = this.#counter(
    'runlet_watch_reconnects_total',
    'Watches of the API server that had to be opened anew.',
    ['kind', 'reason'],
  );
  readonly watchLists = this.#counter('runlet_watch_lists_total', 'Full lists asked of the API server.', ['kind']);
  readonly watchLastEvent = this.#gauge(
    'runlet_watch_last_event_timestamp_seconds',
    'When the API server was last heard, in seconds since 1970.',
    ['kind'],
  );
  readonly statusWrites = this.#counter('runlet_status_writes_total', 'Statuses written to the API server.', [
    'result',
  ]);

  constructor(build: { readonly version: string; readonly revision?: string }) {
    collectDefaultMetrics({ register: this.registry });
    for (const name of leftOut) this.registry.removeSingleMetric(name);
    this.buildInfo.set(
      { version: build.version, revision: build.revision ?? '', node_version: process.versions.node },
      1,
    );
    this.#descriptors();
  }

  /** A verb has ended; `reason` is the error's code where it failed. */
  operation(operation: string, seconds: number, reason?: string): void {
    this.operations.observe({ operation }, seconds);
    if (reason !== undefined) this.operationErrors.inc({ operation, reason });
  }

  dropped(label: Bounded, count: number): void {
    this.droppedSeries.inc({ label }, count);
  }

  #descriptors(): void {
    const unregistered = { registers: [] };
    this.registry.registerMetric(
      new Gauge({
        name: 'process_open_fds',
        help: 'Number of open file descriptors.',
        ...unregistered,
        async collect() {
          this.set((await listNames('/proc/self/fd')).length);
        },
      }),
    );
    const most = new Gauge({
      name: 'process_max_fds',
      help: 'Maximum number of open file descriptors.',
      ...unregistered,
    });
    most.set(descriptorLimit());
    this.registry.registerMetric(most);
    this.registry.registerMetric(
      new Gauge({
        name: 'runlet_kept_cgroup_files',
        help: 'Files of cgroups that are kept open between scrapes.',
        ...unregistered,
        collect() {
          this.set(KeptFile.count);
        },
      }),
    );
  }

  #counter<const L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge<const L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
