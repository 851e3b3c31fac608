import type { Config } from '#config/config.ts';
import { UnavailableError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import { openCore, recoverCore } from './agent/core.ts';
import { checkHost } from './agent/host-checks.ts';
import { serveApi } from './agent/serve-api.ts';
import { serveMetrics } from './agent/serve-metrics.ts';
import { serveSessions } from './agent/serve-sessions.ts';
import { lockFolders } from './agent/stores.ts';
import { suspendable } from './agent/suspendable.ts';
import { followDesiredState, type RunningDesiredState } from './desired-state.ts';

export interface AgentOptions {
  readonly config: Config;
  readonly version: string;
  readonly log: Log;
  /** Aborts when the agent is to leave; its tasks go on. */
  readonly stop: AbortSignal;
}

/**
 * Runs the agent until it is told to stop: locks its folders, takes on what former agents left, serves and follows the desired
 * state. Throws before it serves when the machine is not ready or another agent is there.
 */
export async function runAgent({ config, version, log, stop }: AgentOptions): Promise<void> {
  const startedAt = performance.now();
  checkHost(config);
  await using _lock = await lockFolders(config);
  await using core = await openCore(config, log);
  let desired: RunningDesiredState | undefined;
  await using metrics = await serveMetrics({
    ...{ config, core, version, log },
    desired: () => desired?.view,
    authorizer: {
      authorize: async (scraper) => {
        if (desired?.authorizer) return await desired.authorizer.authorize(scraper);
        throw new UnavailableError('who may read metrics is not known yet: the agent is starting');
      },
    },
    ready: () => desired?.ready ?? 'tasks of former agents are being taken on',
    notes: () => desired?.notes() ?? [],
  });
  await recoverCore(core);
  await using following = await followDesiredState(config, core, log, metrics.metrics.agent);
  desired = following;
  await using _api = await serveApi({ config, core, desired: suspendable(following, log), version, log });
  await using _sessions = await serveSessions({ config, core, sessions: following.sessions, log });
  const durationMs = Math.round(performance.now() - startedAt);
  const { address, nodeName: node } = config;
  log.info({ version, address, metricsUrl: metrics.url, node, durationMs }, 'agent started');
  await aborted(stop);
  log.info({}, 'agent is stopping; its tasks go on');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
