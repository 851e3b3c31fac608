import { collectDefaultMetrics, Registry } from 'prom-client';
import { countDescriptors } from '#host/descriptors.ts';
import { descriptorLimit, KeptFiles } from '#host/kept-files.ts';
import { hear } from '#log/notices.ts';
import type { Bounded } from './cardinality.ts';
import { clientListener, queueListener } from './cluster.ts';
import { endpointListener } from './endpoint-metrics.ts';
import { EventLoopLag, replacedLag } from './event-loop.ts';
import { fastBuckets, Instruments, slowBuckets } from './instruments.ts';

/** prom-client's gauges whose names end as only a counter's may, and those that are counted better here. */
const leftOut = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'process_open_fds',
  'process_max_fds',
];

const millisecondsASecond = 1000;

/** prom-client's own looks at the event loop, each of which would wake an idle agent, in milliseconds: three weeks. */
const neverMs = 2 ** 31 - 1;

/** The agent's own metrics; the order here is that of the exposition. */
export class AgentMetrics implements Disposable {
  readonly registry = new Registry();
  readonly #make = new Instruments(this.registry);
  readonly #operations = this.#make.histogram(
    'runlet_operation_duration_seconds',
    'Time that verbs of the Task interface took, failed ones included.',
    { labels: ['operation'], buckets: slowBuckets },
  );
  readonly #operationErrors = this.#make.counter(
    'runlet_operation_errors_total',
    'Verbs of the Task interface that failed.',
    ['operation', 'reason'],
  );
  readonly finishedTasks = this.#make.counter(
    'runlet_finished_tasks_total',
    'Runs of tasks that have ended since the agent began, by how.',
    ['reason'],
  );
  readonly finishedCpu = this.#make.counter(
    'runlet_finished_cpu_seconds_total',
    'CPU time of runs of tasks that have ended since the agent began.',
  );
  readonly finishedOomKills = this.#make.counter(
    'runlet_finished_oom_kills_total',
    'Out-of-memory kills in runs of tasks that have ended since the agent began.',
  );
  readonly collectorDuration = this.#make.histogram(
    'runlet_collector_duration_seconds',
    'Time that a part of a scrape took.',
    { labels: ['collector'], buckets: fastBuckets },
  );
  readonly collectorErrors = this.#make.counter(
    'runlet_collector_errors_total',
    'Tasks whose cgroup could not be read at a scrape.',
  );
  readonly #dropped = this.#make.counter(
    'runlet_dropped_label_values_total',
    'Devices, interfaces and page sizes left out of a scrape to bound its series.',
    ['label'],
  );
  /** For the work queue of desired state. */
  readonly queue = queueListener(this.#make);
  /** For the client of the API server. */
  readonly client = clientListener(this.#make, () => Date.now());
  /** For the server of /metrics. */
  readonly endpoint = endpointListener(this.#make);
  readonly #heard: readonly Disposable[];

  constructor(build: { readonly version: string; readonly revision?: string }) {
    const { version, revision = '' } = build;
    const info = this.#make.gauge('runlet_build_info', 'The running program; always 1.', [
      'version',
      'revision',
      'node_version',
    ]);
    info.set({ version, revision, node_version: process.versions.node }, 1);
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: neverMs });
    for (const name of [...leftOut, ...replacedLag]) this.registry.removeSingleMetric(name);
    this.#heard = [...this.#hear(), new EventLoopLag(this.#make)];
    this.#make.asked('process_open_fds', 'Number of open file descriptors.', () => countDescriptors());
    this.#make.asked('process_max_fds', 'Maximum number of open file descriptors.', () => descriptorLimit());
    this.#make.asked(
      'runlet_kept_cgroup_files',
      'Files of cgroups that are kept open between scrapes.',
      () => KeptFiles.count,
    );
  }

  /** A verb has ended; `reason` is the error's code where it failed. */
  operation(operation: string, seconds: number, reason?: string): void {
    this.#operations.observe({ operation }, seconds);
    if (reason !== undefined) this.#operationErrors.inc({ operation, reason });
  }

  /** Values of a label were left out of a scrape. */
  dropped(label: Bounded, count: number): void {
    this.#dropped.inc({ label }, count);
  }

  [Symbol.dispose](): void {
    for (const each of this.#heard) each[Symbol.dispose]();
  }

  #hear(): readonly Disposable[] {
    const spawn = this.#make.histogram(
      'runlet_spawn_duration_seconds',
      'Time for which starting a program held up the agent.',
      { buckets: fastBuckets },
    );
    const rotations = this.#make.counter(
      'runlet_log_rotations_total',
      'Task logs that were set aside because they had grown too long.',
    );
    const bytes = this.#make.counter('runlet_log_bytes_total', 'Bytes of the task logs that were set aside.');
    const orphans = this.#make.counter('runlet_orphans_total', 'Things found that belong to no task.', ['kind']);
    return [
      hear('spawned', ({ durationMs }) => spawn.observe(durationMs / millisecondsASecond)),
      hear('log-rotated', (rotated) => {
        rotations.inc();
        bytes.inc(rotated.bytes);
      }),
      hear('orphan-found', ({ kind }) => orphans.inc({ kind })),
    ];
  }
}
