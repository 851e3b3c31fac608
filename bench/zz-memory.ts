import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTestNode, type TestNode } from '../test/support/node.ts';
import { printTable } from './measure.ts';
import { mb, memoryOf, processesNamed, type Memory } from './program.ts';

const tasks = 100;
const patienceMs = 180_000;

/** What an agent takes without a task and with a hundred idle ones, and what a monitor takes. */
export async function run(): Promise<void> {
  const program = process.env['ZZ'] ?? '';
  const node = makeTestNode();
  const manifests = join(node.folder, 'manifests');
  mkdirSync(manifests);
  const agent = startAgent(program, node, manifests);
  try {
    await until(() => listed(program, node) === 0, 'the agent answers');
    const empty = await settled(agent);
    writeFileSync(
      join(manifests, 'all.yaml'),
      Array.from({ length: tasks }, (_, at) => nodeTask(node, at)).join('---\n'),
    );
    await until(() => listed(program, node) === tasks, `${tasks} tasks run`);
    const full = await settled(agent);
    const monitors = processesNamed(node.running(), 'conmon').map(memoryOf);
    printTable(
      ['MB', 'resident', 'proportional', 'aim'],
      [
        ['agent without a task', mb(empty.rss), mb(empty.pss), ''],
        [`agent with ${tasks} tasks`, mb(full.rss), mb(full.pss), '≤ 100'],
        [`a monitor, of ${monitors.length}`, mb(mean(monitors, 'rss')), mb(mean(monitors, 'pss')), '≤ 0.5'],
      ],
    );
    rmSync(join(manifests, 'all.yaml'));
    await until(() => listed(program, node) === 0, 'all tasks are gone');
  } finally {
    agent.kill('SIGTERM');
    await once(agent, 'exit');
    await node.clean();
  }
}

function startAgent(program: string, node: TestNode, manifests: string): ChildProcess {
  const places = ['--address', node.socket, '--root', node.root, '--state', node.state, '--log-dir', node.logs];
  const rest = ['--cgroup-parent', node.cgroupParent, '--manifests', manifests, '--rootfs-allow', node.folder];
  const args = [program, 'agent', ...places, ...rest, '--metrics-address', '127.0.0.1:0', '--log-level', 'error'];
  return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

function nodeTask(node: TestNode, at: number): string {
  return JSON.stringify({
    apiVersion: 'runlet.dev/v1alpha1',
    kind: 'NodeTask',
    metadata: { name: `idle-${at}` },
    spec: { rootfs: { path: node.rootfs }, command: ['/bin/sleep', '100000'], stopSignal: 'KILL' },
  }).concat('\n');
}

/** How many tasks run; undefined while the agent does not answer. */
function listed(program: string, node: TestNode): number | undefined {
  try {
    const args = [program, '--address', node.socket, 'ps', '-o', 'json'];
    const all = JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    ) as {
      readonly status: string;
    }[];
    return all.filter(({ status }) => status === 'running').length;
  } catch {
    return undefined;
  }
}

/** The least of some seconds: what is waiting to be collected is not needed. */
async function settled(agent: ChildProcess): Promise<Memory> {
  const seen: Memory[] = [];
  for (let second = 0; second < 15; second += 1) {
    await new Promise((done) => setTimeout(done, 1000));
    seen.push(memoryOf(agent.pid ?? 0));
  }
  return seen.toSorted((left, right) => left.rss - right.rss)[0] ?? { rss: Number.NaN, pss: Number.NaN };
}

function mean(all: readonly Memory[], of: keyof Memory): number {
  return all.reduce((sum, each) => sum + each[of], 0) / all.length;
}

async function until(good: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + patienceMs; !good();) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}
