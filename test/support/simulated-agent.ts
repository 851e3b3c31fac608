import { join } from 'node:path';
import { followCluster } from '#agent/follow-cluster.ts';
import type { Clock } from '#async/clock.ts';
import { noClientMetrics } from '#kubernetes/client/client-metrics.ts';
import { noQueueMetrics } from '#kubernetes/reconcile/work-queue.ts';
import { silentLog } from '#log/log.ts';
import { ContainerStore } from '#task/containers.ts';
import { TaskManager } from '#task/task-manager.ts';
import { FakeMaking } from './fake-making.ts';
import { FakeRuntime } from './fake-runtime.ts';
import { MemoryRecords, wholeMachine } from './reconciling.ts';

export interface SimulatedAgentOptions {
  readonly nodeName: string;
  readonly kubeconfig: string;
  /** Its durable folder is made in here. */
  readonly folder: string;
  readonly clock: Clock;
  /** Called for each request to the API server that was answered. */
  readonly onRequest?: () => void;
}

/** All of an agent that an API server sees: its cluster mode as it is, over tasks without processes. */
export async function startSimulatedAgent(options: SimulatedAgentOptions): Promise<AsyncDisposable> {
  const { nodeName, kubeconfig, folder, clock, onRequest = () => {} } = options;
  const log = silentLog();
  const tasks = new TaskManager({
    ...{ runtime: new FakeRuntime({ clock }), clock, log },
    defaultRuntime: 'runc',
    runtimeRootOf: (namespace) => `/run/fake/${nodeName}/${namespace}`,
    cgroupPathOf: ({ namespace, id }) => `/fake/${nodeName}/${namespace}/${id}`,
  });
  await tasks.recover();
  const making = new FakeMaking(tasks);
  making.pulls = false;
  const root = join(folder, nodeName);
  const following = await followCluster({
    config: {
      ...{ kubeconfig, nodeName, root, logDir: join(root, 'logs'), policy: undefined },
      ...{ podSecurityDefault: 'baseline', defaultPidsLimit: 2048, metricsAuth: 'none', metricsAllow: [] },
      ...{ checkpointMaxCount: 100, checkpointMaxSize: 2 ** 30, checkpointKeep: 0 },
    },
    core: {
      ...{ tasks, clock, making, machine: () => wholeMachine },
      images: Object.assign(making, { layerPath: (key: string) => join(root, 'layers', key) }),
      containers: new ContainerStore({ records: new MemoryRecords(), clock, onChange: () => {} }),
    },
    log,
    metrics: { queue: noQueueMetrics, client: { ...noClientMetrics, request: onRequest } },
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await following[Symbol.asyncDispose]();
      await tasks.close();
    },
  };
}
