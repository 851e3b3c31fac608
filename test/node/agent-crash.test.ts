import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCore, recoverCore, type Core } from '#agent/core.ts';
import { loadConfig } from '#config/load.ts';
import { silentLog } from '#log/log.ts';
import { parseNamespace, parseTaskId } from '#task/ids.ts';
import { makeAgentNode, type AgentNode } from '../support/agent.ts';
import { AgentTasks } from '../support/agent-tasks.ts';
import { stepsToTry } from '../support/crash-steps.ts';
import { eventually } from '../support/node.ts';

const support = join(import.meta.dirname, '../support');
const ref = { namespace: parseNamespace('default'), id: parseTaskId('t') };

let node: AgentNode;
beforeEach(() => {
  node = makeAgentNode();
});
afterEach(async () => {
  await node.clean();
});

function settings() {
  const { root, state, logs, cgroupParent, socket } = node;
  return { root, state, logDir: logs, cgroupParent, address: socket };
}

const stepsFile = () => join(node.folder, 'steps');

/** Runs a verb in a process that dies before its step number `crashAt`; false when it came to its end. */
function crashed(verb: string, crashAt: number): boolean {
  const program = [join(support, 'making-driver.ts'), verb, JSON.stringify(settings()), node.rootfs];
  const run = spawnSync(process.execPath, ['--import', join(support, 'crash-at.ts'), ...program], {
    env: { PATH: process.env['PATH'], CRASH_AT: String(crashAt), STEPS_FILE: stepsFile() },
    encoding: 'utf8',
  });
  if (run.signal === 'SIGKILL') return true;
  expect(run.stderr, `${verb} at ${crashAt}`).toBe('');
  expect(run.status, `${verb} at ${crashAt}`).toBe(0);
  return false;
}

/** What the next agent finds, in one word; then everything is removed, and nothing may be left. */
async function found(): Promise<string> {
  const core = await openCore(loadConfig({ flags: settings(), env: {} }), silentLog());
  try {
    await recoverCore(core);
    const word = describeIt(core);
    const task = core.tasks.find(ref);
    if (task && !task.exit) {
      await task.kill(9);
      await task.wait();
    }
    await core.making.remove(ref, {});
    return word;
  } finally {
    await core[Symbol.asyncDispose]();
  }
}

function describeIt({ tasks, containers }: Core): string {
  const task = tasks.find(ref);
  const container = containers.find(ref);
  if (!task && !container) return hasTraces() ? 'traces without an owner' : 'nothing';
  return `${container ? `container ${container.recipe?.attempt}` : 'no container'}, ${task ? task.status : 'no task'}`;
}

function hasTraces(): boolean {
  return [`${node.root}/images/layers/default%2Ft`, `${node.root}/volumes/default/t`].some((path) => existsSync(path));
}

/** What there may be after a verb was cut off anywhere. */
const expectations: Readonly<Record<string, readonly string[]>> = {
  make: ['nothing', 'container 0, created'],
  // The old run's record counts until the new run's is written.
  restart: [
    'container 0, running',
    'container 0, stopped',
    'container 0, no task',
    'container 1, created',
    'container 1, running',
  ],
  remove: ['container 0, running', 'container 0, stopped', 'container 0, no task', 'nothing'],
};

describe('an agent killed -9 on the way', () => {
  for (const [verb, allowed] of Object.entries(expectations)) {
    it(`of ${verb} leaves what the next one finishes or undoes`, { timeout: 240_000 }, async () => {
      expect(crashed(verb, Infinity)).toBe(false);
      expect(allowed).toContain(await found());
      const steps = Number(readFileSync(stepsFile(), 'utf8'));
      expect(steps, 'steps').toBeGreaterThan(5);
      for (const step of stepsToTry(steps)) {
        crashed(verb, step); // its last steps may be fewer this time: then it has come to its end
        expect(allowed, `killed before step ${step} of ${verb}`).toContain(await found());
        expect(hasTraces(), `killed before step ${step} of ${verb}`).toBe(false);
        expect(node.leftovers(), `killed before step ${step} of ${verb}`).toEqual([]);
      }
    });
  }
});

describe('a task whose agents are killed -9 again and again', () => {
  it('goes on with the same process and loses no line of its output', { timeout: 120_000 }, async () => {
    const first = await node.start();
    const pid = await new AgentTasks(first).run('ticker', 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done');
    await first.stop('SIGKILL');
    for (let delayMs = 50; delayMs <= 750; delayMs += 100) await node.startAndKill(delayMs);
    const tasks = new AgentTasks(await node.start());
    expect(await tasks.find('ticker')).toMatchObject({ status: 'running', pid });
    const before = (await tasks.logs('ticker')).length;
    const lines = await eventually(
      () => tasks.logs('ticker'),
      (now) => now.length > before,
      'it goes on',
    );
    expect(lines).toEqual(lines.map((_, index) => String(index + 1)));
  });
});
