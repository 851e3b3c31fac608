import { setTimeout as delay } from 'node:timers/promises';
import type { AgentNode, AgentStart, RunningAgent } from '../support/agent.ts';
import type { ApiServer } from '../support/api-server.ts';
import type { Plan } from './plan.ts';
import { largest, memoryOf, type ProcessMemory } from './process-memory.ts';

/** What became of the agents. */
export interface AgentHistory {
  kills: number;
  /** Those that were killed before they served. */
  youngKills: number;
  /** The most that any agent took. */
  most: ProcessMemory;
}

/** Starts agents and kills them -9, each after its time, until the signal aborts; then one is left, which is returned. */
export async function killAgents(
  node: AgentNode,
  options: { readonly start: AgentStart; readonly deaths: Plan['deaths']; readonly signal: AbortSignal },
  history: AgentHistory,
): Promise<RunningAgent> {
  const { start, deaths, signal } = options;
  for (const { young, afterMs } of deaths) {
    if (signal.aborted) break;
    if (young) {
      await node.startAndKill(afterMs, start);
      history.youngKills += 1;
    } else {
      const agent = await node.start(start);
      await delay(afterMs, undefined, { signal }).catch(() => {});
      if (!agent.running) throw new Error(`an agent ended that nobody had killed:\n${agent.log().slice(-10_000)}`);
      if (signal.aborted) return agent;
      history.most = largest(history.most, memoryOf(agent.pid));
      await agent.stop('SIGKILL');
    }
    history.kills += 1;
  }
  return await node.start(start);
}

/** Kills processes -9. Whether there was one. */
export function killAll(pids: readonly number[]): boolean {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
  return pids.length > 0;
}

/** Kills the API server -9 and starts it again, in the times that are planned. Returns how often. */
export async function killServer(
  server: ApiServer,
  outages: Plan['outages'],
  { beganMs, signal }: { readonly beganMs: number; readonly signal: AbortSignal },
): Promise<number> {
  for (const { atMs, forMs } of outages) {
    await delay(Math.max(0, beganMs + atMs - performance.now()), undefined, { signal });
    await server.stop();
    await delay(forMs, undefined, { signal });
    await server.start();
  }
  return outages.length;
}
