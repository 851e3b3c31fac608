import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { AgentTasks } from '../support/agent-tasks.ts';
import { eventually } from '../support/node.ts';

let node: AgentNode;
beforeEach(() => {
  node = makeAgentNode();
});
afterEach(async () => {
  await node.clean();
});

const warmUpRounds = 10;
const rounds = 30;
/** A run that kept its bundle, log or streams in memory would hold more than this in so many rounds. */
const mostGrowthBytes = 48 * 1024 * 1024;

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** Everything that a task's life touches: making, output, reading it, restarting, stopping, removing. */
async function live(agent: RunningAgent, tasks: AgentTasks): Promise<void> {
  await tasks.run('short', 'echo hello; exec sleep 1000', { stopSignal: 'KILL' });
  await eventually(
    () => tasks.logs('short'),
    (lines) => lines.length === 1,
    'it says hello',
  );
  await fetch(`${agent.metricsUrl}/metrics`).then((response) => response.text());
  await tasks.kill('short', 9);
  await tasks.until('short', 'stopped');
  await tasks.remove('short');
}

it('keeps neither descriptors nor memory of tasks that are gone', { timeout: 240_000 }, async () => {
  const agent = await node.start();
  const tasks = new AgentTasks(agent);
  for (let round = 0; round < warmUpRounds; round += 1) await live(agent, tasks);
  const before = { descriptors: descriptors(agent.pid), residentBytes: residentBytes(agent.pid) };
  for (let round = 0; round < rounds; round += 1) await live(agent, tasks);
  // What is being closed may still be open for a moment; one or two connections come and go.
  await eventually(
    () => descriptors(agent.pid),
    (count) => count <= before.descriptors + 2,
    `descriptors, ${before.descriptors} before`,
  );
  expect(residentBytes(agent.pid) - before.residentBytes).toBeLessThan(mostGrowthBytes);
});
