import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { startContainerd, type RunningContainerd } from '../support/containerd.ts';
import { runCtr, type CtrResult } from '../support/ctr.ts';
import { eventually } from '../support/node.ts';
import { scenarios, scripts, type Scenario, type Step } from './ctr-scenarios.ts';

let node: AgentNode;
let containerd: RunningContainerd;
let agent: RunningAgent;

beforeAll(async () => {
  node = makeAgentNode();
  containerd = await startContainerd(node);
  agent = await node.start();
});
afterAll(async () => {
  await containerd[Symbol.asyncDispose]();
  await agent.stop();
  await node.clean();
});

let count = 0;

/** Runs a scenario's steps in a namespace of its own. */
async function play(socket: string, { steps }: Scenario, namespace: string): Promise<CtrResult[]> {
  const dir = join(node.folder, namespace);
  mkdirSync(dir, { recursive: true });
  const results: CtrResult[] = [];
  for (const each of steps) {
    const args = each.args.split(' ').map((word) => fill(word, { dir, ns: namespace, rootfs: node.rootfs }));
    const run = () => runCtr(socket, ['-n', namespace, ...fifoDir(args, dir)], each);
    const { until } = each;
    results.push(
      until === undefined ? await run() : await eventually(run, ({ stdout }) => until.test(stdout), each.args),
    );
  }
  return results;
}

function fill(word: string, values: Readonly<Record<string, string>>): string {
  return word.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? scripts[name] ?? '');
}

/** FIFOs of a test's own: two servers on one machine would share the usual folder. */
function fifoDir(args: readonly string[], dir: string): readonly string[] {
  const at = args[0] === 'run' ? 1 : args[0] === 'tasks' && ['start', 'exec'].includes(args[1] ?? '') ? 2 : 0;
  return at === 0 ? args : [...args.slice(0, at), '--fifo-dir', join(dir, 'fifos'), ...args.slice(at)];
}

/** What is the same in both: numbers of processes, times, widths of columns and the servers' own places are not. */
function inEssence(text: string, namespace: string): string {
  return text
    .replaceAll(namespace, 'NS')
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z| \+0000 UTC)?/g, 'TIME')
    .replaceAll(/rpc error: code = \w+ desc = /g, '')
    .replaceAll(/(?:: (?:unknown|failed precondition|invalid argument))+$/gm, '')
    .split(/\r?\n/)
    .map((line) =>
      line
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/\b\d{2,}\b/g, 'N')
        .trim(),
    )
    .join('\n')
    .trim();
}

/** Lists of a whole daemon are in any order. */
function sorted(text: string): string {
  return text.split('\n').toSorted().join('\n');
}

describe('ctr finds in runlet what it finds in containerd', () => {
  it.each(scenarios)('$name', async (scenario) => {
    count += 1;
    const namespace = `ctr${process.pid}x${count}`;
    const theirs = await play(containerd.socket, scenario, namespace);
    const ours = await play(node.socket, scenario, namespace);
    for (const [at, each] of scenario.steps.entries()) compare(each, ours[at]!, theirs[at]!, namespace);
    expect(node.leftovers().filter((what) => what.includes(namespace) && !what.includes('containerd'))).toEqual([]);
  });
});

function compare(step: Step, ours: CtrResult, theirs: CtrResult, namespace: string): void {
  const what = `ctr ${step.args}\nours: ${JSON.stringify(ours)}\ncontainerd’s: ${JSON.stringify(theirs)}`;
  const { differs } = step;
  const same = (a: string, b: string) => sorted(inEssence(a, namespace)) === sorted(inEssence(b, namespace));
  const isAsTold = (name: 'stdout' | 'stderr') => differs?.[name]?.test(ours[name]) ?? same(ours[name], theirs[name]);
  expect(ours.code, what).toBe(differs?.code ?? theirs.code);
  expect({ stdout: isAsTold('stdout'), stderr: isAsTold('stderr') }, what).toEqual({ stdout: true, stderr: true });
}
