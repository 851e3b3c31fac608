import { hostname } from 'node:os';
import { systemClock } from '#async/clock.ts';
import { inClusterAccess } from '#kubernetes/client/access.ts';
import { KubernetesClient } from '#kubernetes/client/client.ts';
import { readKubeconfig } from '#kubernetes/client/kubeconfig.ts';
import { Transport } from '#kubernetes/client/transport.ts';
import { LostNodeController } from '#kubernetes/controller/controller.ts';
import { lead } from '#kubernetes/controller/leader.ts';
import { parseLabels } from '#kubernetes/controller/node-view.ts';
import { checkInstallation, releaseAll, stopAll, type UninstallOptions } from '#kubernetes/controller/uninstall.ts';
import type { Log } from '#log/log.ts';
import { serveHealth } from '#metrics/health-server.ts';

/** What the controller's commands are told. */
export interface ControllerSettings {
  readonly kubeconfig?: string;
  /** Where the agents' pods and the Lease are. */
  readonly namespace: string;
  /** Labels of the agents' pods, `a=b,c=d`. */
  readonly agentSelector: string;
  readonly graceMs: number;
  readonly timeoutMs: number;
  readonly lease: string;
  /** Where `/healthz` is served; absent: nowhere. */
  readonly healthAddress?: { readonly host: string; readonly port: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Speaks for agents that cannot, while it leads; until the signal aborts. */
export async function runController(settings: ControllerSettings): Promise<void> {
  await using connection = await connect(settings);
  const { namespace, lease, graceMs, env, log, signal, healthAddress } = settings;
  await using _health = healthAddress ? await serveHealth(healthAddress) : undefined;
  const { client } = connection;
  const identity = env['POD_NAME'] ?? hostname();
  const agentLabels = parseLabels(settings.agentSelector);
  log.info({ identity, namespace, graceMs }, 'controller started');
  await lead(
    { client, namespace, lease, identity, clock: systemClock, log },
    async (leading) => {
      const controller = new LostNodeController({ client, namespace, agentLabels, graceMs, clock: systemClock, log });
      await controller.run(leading);
    },
    signal,
  );
}

/** Stops every NodeTask; to be run while the agents are there. */
export async function stopTasks(settings: ControllerSettings): Promise<void> {
  await using connection = await connect(settings);
  await stopAll(toUninstall(settings, connection.client));
}

/** Frees every object; to be run when the agents are gone. */
export async function releaseObjects(settings: ControllerSettings): Promise<void> {
  await using connection = await connect(settings);
  await releaseAll(toUninstall(settings, connection.client));
}

/** Whether runlet works in this cluster; else what is missing. */
export async function check(settings: ControllerSettings): Promise<true | string> {
  await using connection = await connect(settings);
  return await checkInstallation(toUninstall(settings, connection.client));
}

function toUninstall(settings: ControllerSettings, client: KubernetesClient): UninstallOptions {
  const { namespace, timeoutMs, log, signal } = settings;
  return {
    client,
    namespace,
    agentLabels: parseLabels(settings.agentSelector),
    timeoutMs,
    clock: systemClock,
    log,
    signal,
  };
}

async function connect({ kubeconfig, env }: ControllerSettings) {
  const access = kubeconfig === undefined ? inClusterAccess(env) : await readKubeconfig(kubeconfig);
  const transport = new Transport({ access, clock: systemClock });
  return {
    client: new KubernetesClient({ transport, clock: systemClock }),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
