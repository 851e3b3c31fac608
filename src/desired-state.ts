import type { DesiredState, SessionDoor } from '#api/ports.ts';
import type { Config } from '#config/config.ts';
import type { ClientMetrics } from '#kubernetes/client/client-metrics.ts';
import type { QueueMetrics } from '#kubernetes/reconcile/work-queue.ts';
import type { Log } from '#log/log.ts';
import type { Authorizer } from '#metrics/authorizer.ts';
import type { Core } from './agent/core.ts';
import { followManifests } from './agent/follow-manifests.ts';

/** The desired state that the agent follows, while it runs. */
export interface RunningDesiredState extends AsyncDisposable {
  /** What the API tells of it. */
  readonly view: DesiredState;
  /** The server's URL or the folder; empty: it comes from nowhere. */
  readonly source: string;
  /** Whether it has been read once; a text says what is still missing. */
  readonly ready: true | string;
  /** What an administrator should know although all works, a sentence each. */
  notes(): readonly string[];
  /** Who may read metrics, as the cluster says; absent without one. */
  readonly authorizer?: Authorizer;
  /** What lets clients of `kubectl runlet` in; absent without a cluster. */
  readonly sessions?: SessionDoor & AsyncDisposable;
}

/** Who counts what happens on the way. */
export interface DesiredStateMetrics {
  readonly queue: QueueMetrics;
  readonly client: ClientMetrics;
}

/** What following desired state is made of. */
export interface Following {
  readonly config: Config;
  readonly core: Core;
  readonly log: Log;
  readonly metrics: DesiredStateMetrics;
}

/** Of an agent that is given neither a folder of manifests nor a cluster: only what people make is there. */
const nothing: DesiredState = {
  describe: () => undefined,
  withoutTask: () => [],
  restarts: () => undefined,
};

/** Begins to follow what the configuration names. */
export async function followDesiredState(
  config: Config,
  core: Core,
  log: Log,
  metrics: DesiredStateMetrics,
): Promise<RunningDesiredState> {
  if (config.manifests !== undefined) return await followManifests(config.manifests, { config, core, log, metrics });
  if (config.kubernetes || config.kubeconfig !== undefined) {
    // Loaded here: an agent without a cluster needs no HTTP client.
    const { followCluster } = await import('./agent/follow-cluster.ts');
    return await followCluster({ config, core, log, metrics });
  }
  return { view: nothing, source: '', ready: true, notes: () => [], [Symbol.asyncDispose]: () => Promise.resolve() };
}
