import { join } from 'node:path';
import { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';
import type { ClusterAccess } from '../client/access.ts';
import { KubernetesClient } from '../client/client.ts';
import type { ClientMetrics } from '../client/client-metrics.ts';
import { Transport } from '../client/transport.ts';
import type { KubeObject } from '../client/object.ts';
import { agentLost } from '../node-task/schema.ts';
import type { NodeTaskStatus } from '../node-task/types.ts';
import type { NodeTaskSink, NodeTaskSource, ObjectIdentity, PodSecurityLevel } from '../reconcile/source.ts';
import { ClusterConfig } from './cluster-config.ts';
import { ClusterSource } from './cluster-source.ts';
import { EventRecorder } from './event-recorder.ts';
import { NamespaceLevels, type LevelRecord } from './namespace-levels.ts';
import { ObjectCache } from './object-cache.ts';
import { ObjectWriter } from './object-writer.ts';
import { nodeTasks } from './resource.ts';
import { StatusWriter } from './status-writer.ts';

export interface ClusterOptions {
  readonly access: ClusterAccess;
  readonly nodeName: string;
  /** Where objects and levels are kept for times without an API server; below `--root`. */
  readonly folder: string;
  /** Level of a namespace without the label. */
  readonly podSecurityDefault: PodSecurityLevel;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: ClientMetrics;
}

/** A cluster that gives this node its NodeTasks and is told what became of them. */
export interface Cluster extends AsyncDisposable {
  readonly client: KubernetesClient;
  readonly source: NodeTaskSource;
  readonly sink: NodeTaskSink;
  readonly events: EventRecorder;
  /** Whether the API server answered last. */
  readonly connected: boolean;
  /** The status that an object has there, as it was heard last. */
  statusOf(object: Pick<ObjectIdentity, 'namespace' | 'name'>): NodeTaskStatus | undefined;
  /** What an administrator should know although all works, for readiness; empty when there is nothing. */
  notes(): readonly string[];
}

/** Reads what was kept on disk and begins to follow the cluster. An API server that is away is no obstacle. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { access, nodeName, folder, clock, log } = options;
  const metrics = options.metrics ? { metrics: options.metrics } : {};
  const transport = new Transport({ access, clock });
  const client = new KubernetesClient({ transport, clock, ...metrics });
  const cache = new ObjectCache({
    records: new JsonRecords(join(folder, 'nodetasks'), (error) =>
      log.warn({ err: error }, 'left out an object that was kept on disk and cannot be read'),
    ),
    log,
  });
  const records = new JsonRecords<LevelRecord>(join(folder, 'namespaces'), (error) =>
    log.warn({ err: error }, 'left out a namespace’s level that was kept on disk and cannot be read'),
  );
  const levels = new NamespaceLevels({ client, records, fallback: options.podSecurityDefault, clock, log });
  const config = new ClusterConfig(client);
  const source = new ClusterSource({ client, nodeName, cache, levels, config, clock, log, ...metrics });
  await levels.load();
  await source.load();
  const parts = { client, resource: nodeTasks, clock, log, known: source.rawOf };
  const statuses = new StatusWriter(parts);
  const writer = new ObjectWriter(parts);
  const events = new EventRecorder({ client, nodeName, clock, log });
  const listening = source.subscribe((change) => {
    if (change.kind !== 'object') return;
    const object = source.get(change.key);
    if (!object) statuses.forget(change.key);
    // The controller has spoken for this agent, which is there: it looks at pods, and those are said to be ready later.
    else if (isSaidLost(source.rawOf(object))) statuses.contradicted(object);
  });
  const stop = new AbortController();
  const following = new TaskGroup((error) => log.error({ err: error }, 'following the cluster failed'));
  following.spawn(() => source.run(stop.signal));
  return {
    client,
    source,
    events,
    get connected() {
      return source.connected;
    },
    statusOf: (object) => source.rawOf(object)?.['status'] as NodeTaskStatus | undefined,
    notes: () => [
      ...source.notes(),
      ...statuses.undeclared.map((field) => `the CRD in the cluster is older than this agent: ${field} is left out`),
    ],
    sink: {
      status: (object, status, how) => statuses.write(object, status, how),
      event: (object, event) => events.record(nodeTasks, object, event),
      claim: async (object) => {
        const heard = source.rawOf(object)?.metadata.resourceVersion;
        const made = await writer.claim(object);
        if (made !== undefined) statuses.changed(object, { made, heard });
      },
      release: (object) => writer.release(object),
      delete: (object) => writer.delete(object),
    },
    [Symbol.asyncDispose]: async () => {
      listening[Symbol.dispose]();
      stop.abort(new Error('the agent is stopping'));
      await Promise.all([following, statuses, events].map((part) => part[Symbol.asyncDispose]()));
      await cache[Symbol.asyncDispose]();
      await transport[Symbol.asyncDispose]();
    },
  };
}

/** Whether the controller says of it that nothing is known. */
function isSaidLost(object: KubeObject | undefined): boolean {
  const { conditions = [] } = (object?.['status'] ?? {}) as NodeTaskStatus;
  return conditions.some(({ type, reason }) => type === 'Ready' && reason === agentLost);
}

/** Folder of what is kept of a cluster, below the agent's root. */
export function clusterFolder(root: string): string {
  return join(root, 'cluster');
}
