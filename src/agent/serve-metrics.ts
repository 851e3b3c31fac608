import type { DesiredState } from '#api/ports.ts';
import type { Config } from '#config/config.ts';
import type { Log } from '#log/log.ts';
import type { Authorizer } from '#metrics/authorizer.ts';
import { toEndpoint } from '#metrics/endpoint.ts';
import { Metrics, type TaskDescription } from '#metrics/metrics.ts';
import { MetricsServer } from '#metrics/server.ts';
import type { Task } from '#task/task.ts';
import type { Core } from './core.ts';

export interface MetricsOptions {
  readonly config: Config;
  readonly core: Core;
  readonly version: string;
  /** Empty while desired state is not read yet. */
  readonly desired: () => DesiredState | undefined;
  readonly ready: () => true | string;
  /** What an administrator should know although all works. */
  readonly notes: () => readonly string[];
  readonly authorizer?: Authorizer;
  readonly log: Log;
}

/** The numbers of the agent and its server. */
export interface ServedMetrics extends AsyncDisposable {
  readonly metrics: Metrics;
  /** Such as `http://127.0.0.1:9620`. */
  readonly url: string;
}

/** Serves /metrics, /healthz and /readyz until disposed of. Throws UnavailableError when the address is taken. */
export async function serveMetrics(options: MetricsOptions): Promise<ServedMetrics> {
  const { config, core, version, ready, notes, authorizer, log } = options;
  const metrics = new Metrics({
    ...{ tasks: core.tasks, log, profile: config.metricsProfile, build: { version } },
    describe: (task) => describe(task, core, options.desired()),
    budget: core.budget.places,
  });
  const server = new MetricsServer({
    endpoint: toEndpoint({
      address: config.metricsAddress,
      auth: config.metricsAuth,
      tlsCert: config.metricsTlsCert,
      tlsKey: config.metricsTlsKey,
      clientCa: config.metricsClientCa,
      allow: config.metricsAllow,
    }),
    expose: (format) => metrics.expose(format),
    ...{ ready, notes, log, metrics: metrics.agent.endpoint },
    ...(authorizer ? { authorizer } : {}),
  });
  const { host, port } = await server.listen();
  return {
    metrics,
    url: `${config.metricsTlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      metrics[Symbol.dispose]();
    },
  };
}

function describe({ ref, record }: Task, { containers }: Core, desired: DesiredState | undefined): TaskDescription {
  const container = containers.find(ref);
  return {
    kubeNamespace: record.owner['kubeNamespace'],
    uid: record.owner['uid'],
    image: container?.image,
    restarts: desired?.restarts(ref) ?? container?.recipe?.attempt,
  };
}
