import { join } from 'node:path';
import type { Config } from '#config/config.ts';
import { JsonRecords } from '#host/json-records.ts';
import { bootId } from '#host/process.ts';
import type { Images } from '#images/images.ts';
import { TokenKeysAuthorizer, type KeptKeys } from '#kubernetes/authorizer/token-keys.ts';
import { TokenReviewAuthorizer } from '#kubernetes/authorizer/token-review.ts';
import { inClusterAccess, type ClusterAccess } from '#kubernetes/client/access.ts';
import type { KubernetesClient } from '#kubernetes/client/client.ts';
import { readKubeconfig } from '#kubernetes/client/kubeconfig.ts';
import { clusterFolder, openCluster } from '#kubernetes/cluster/cluster.ts';
import type { TaskMaking } from '#kubernetes/making/making.ts';
import { OneShots } from '#kubernetes/one-shot/one-shots.ts';
import { readPolicy } from '#kubernetes/policy/policy.ts';
import { Reconciler } from '#kubernetes/reconcile/reconciler.ts';
import { RecordingFiles } from '#kubernetes/recording/recordings.ts';
import { noRecordings } from '#kubernetes/session/recorder.ts';
import { Sessions } from '#kubernetes/session/sessions.ts';
import { CriLogs } from '#logs/cri-logs.ts';
import type { Authorizer } from '#metrics/authorizer.ts';
import type { Core } from './core.ts';
import type { Following, RunningDesiredState } from '../desired-state.ts';
import { atOnce } from './at-once.ts';
import { keptRecords } from './kept-records.ts';

/** What following a cluster needs of an agent: what runs its tasks may be anything that keeps the ports. */
export interface ClusterFollowing extends Pick<Following, 'log' | 'metrics'> {
  readonly config: Pick<
    Config,
    | 'kubeconfig'
    | 'policy'
    | 'nodeName'
    | 'root'
    | 'logDir'
    | 'podSecurityDefault'
    | 'defaultPidsLimit'
    | 'checkpointMaxCount'
    | 'checkpointMaxSize'
    | 'checkpointKeep'
    | 'metricsAuth'
    | 'metricsAllow'
  >;
  readonly core: Pick<Core, 'tasks' | 'clock' | 'machine' | 'containers'> & {
    readonly making: TaskMaking;
    readonly images: Pick<Images, 'ensure' | 'layerPath'>;
  };
}

/**
 * Makes the node's tasks what the NodeTasks of a cluster say. An API server that is away is no obstacle: what was kept on disk
 * counts until it is heard. Throws InvalidArgumentError, NotFoundError or FailedPreconditionError for a wrong kubeconfig or none,
 * InvalidArgumentError for a wrong policy.
 */
export async function followCluster({ config, core, log, metrics }: ClusterFollowing): Promise<RunningDesiredState> {
  const { tasks, making, images, clock, machine } = core;
  const records = keptRecords(config, log);
  const access = await clusterAccess(config);
  const policy = config.policy === undefined ? undefined : await readPolicy(config.policy);
  const cluster = await openCluster({
    access,
    nodeName: config.nodeName,
    folder: clusterFolder(config.root),
    podSecurityDefault: config.podSecurityDefault,
    clock,
    log,
    metrics: metrics.client,
  });
  const { source, sink } = cluster;
  const oneShots = new OneShots({
    ...{ tasks, images, clock, log, source, containers: core.containers },
    client: cluster.client,
    events: cluster.events,
    nodeName: config.nodeName,
    root: config.root,
    records: records('one-shots'),
    retention: {
      maxCount: config.checkpointMaxCount,
      maxBytes: config.checkpointMaxSize,
      keepMs: config.checkpointKeep,
    },
    imageIdOf: (namespace, name) => cluster.statusOf({ namespace, name })?.imageID,
    metrics: metrics.client,
  });
  const recordings =
    policy?.recording && new RecordingFiles({ root: config.root, policy: policy.recording, clock, log });
  const sessions = new Sessions({
    ...{ source, tasks, clock, log, containers: core.containers, recordings: recordings ?? noRecordings },
    client: cluster.client,
    logs: new CriLogs({ logDir: config.logDir, tasks }),
    nodeName: config.nodeName,
    records: records('sessions'),
  });
  const reconciler = new Reconciler({
    ...{ source, sink, tasks, making, images, clock, log, machine, ...atOnce },
    records: records('nodetasks'),
    nodeName: config.nodeName,
    bootId: bootId(),
    defaultPidsLimit: config.defaultPidsLimit,
    trust: 'cluster',
    checkpointOf: (task, imageDigest) => oneShots.checkpointOf(task, imageDigest),
    metrics: metrics.queue,
    ...(policy ? { policy } : {}),
  });
  await reconciler.start();
  await oneShots.start();
  await sessions.start();
  await recordings?.start();
  log.info({ server: access.server, node: config.nodeName }, 'following the cluster');
  return {
    view: reconciler,
    source: access.server,
    notes: () => cluster.notes(),
    authorizer: authorizer(config, cluster.client, core),
    sessions,
    get ready() {
      return source.synced || source.keys().length > 0 || 'the API server has not been heard yet';
    },
    [Symbol.asyncDispose]: async () => {
      await sessions[Symbol.asyncDispose]();
      recordings?.[Symbol.dispose]();
      await oneShots[Symbol.asyncDispose]();
      await reconciler[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Who may read metrics, as this cluster says. */
function authorizer(
  { metricsAuth, metricsAllow, root }: ClusterFollowing['config'],
  client: KubernetesClient,
  { clock }: Pick<Core, 'clock'>,
): Authorizer {
  if (metricsAuth !== 'jwt') return new TokenReviewAuthorizer({ client, clock });
  // Malformed is as good as none: they are read from the cluster then.
  const records = new JsonRecords<KeptKeys>(join(clusterFolder(root), 'token-keys'), () => {});
  const kept = {
    load: async () => (await records.load())[0],
    save: async (keys: KeptKeys) => await records.put('keys', keys),
  };
  return new TokenKeysAuthorizer({ client, clock, kept, allow: metricsAllow });
}

async function clusterAccess({ kubeconfig }: Pick<Config, 'kubeconfig'>): Promise<ClusterAccess> {
  if (kubeconfig !== undefined) return await readKubeconfig(kubeconfig);
  return inClusterAccess(process.env);
}
