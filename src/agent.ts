import type { Config } from '#config/config.ts';
import type { Log } from '#log/log.ts';
import { openCore } from './agent/core.ts';
import { checkHost } from './agent/host-checks.ts';
import { serveApi } from './agent/serve-api.ts';
import { lockFolders } from './agent/stores.ts';
import { followDesiredState } from './desired-state.ts';

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
  await using desired = await followDesiredState(config, core, log);
  await using _api = await serveApi({ config, core, desired: desired.view, version, log });
  const durationMs = Math.round(performance.now() - startedAt);
  log.info({ version, address: config.address, node: config.nodeName, durationMs }, 'agent started');
  await aborted(stop);
  log.info({}, 'agent is stopping; its tasks go on');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
