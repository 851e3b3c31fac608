import { setTimeout as delay } from 'node:timers/promises';
import { makeAgentNode, type RunningAgent } from '../test/support/agent.ts';
import { admin, startApiServer } from '../test/support/api-server.ts';
import { ClusterTasks } from './cluster-tasks.ts';
import { printTable, quantile, timed } from './measure.ts';
import { buildProgram, cpuMs, mb, memoryOf } from './program.ts';

const oneByOne = 20;
const atOnce = 50;
/** Tasks of an agent that has nothing to do. */
const idle = 100;
const idleMs = 60_000;
/** After the last change has been seen: what the agent still tells of it, such as events, is counted with it. */
const settleMs = 5000;

const steps = ['create to Running', 'pause', 'resume', 'update', 'delete'] as const;
type Samples = Record<(typeof steps)[number], number[]>;

/** What somebody with kubectl waits for: changes of NodeTasks on a real API server until a watch sees them done by a real agent. */
export async function run(): Promise<void> {
  const program = buildProgram();
  await using server = await startApiServer({ kind: 'modern' });
  const node = makeAgentNode(program);
  try {
    await using tasks = await ClusterTasks.open(server);
    const agent = await node.start({
      flags: ['--kubeconfig', server.kubeconfig(admin), '--rootfs-allow', node.folder],
    });
    const spec = {
      ...{ nodeName: 'test-node', rootfs: { path: node.rootfs } },
      ...{ command: ['/bin/sleep', '100000'], stopSignal: 'KILL' },
    };
    await life(tasks, 'warm-up', spec, newSamples());
    const samples = newSamples();
    const asked = await requests(agent);
    for (let at = 0; at < oneByOne; at += 1) await life(tasks, `one-${at}`, spec, samples);
    await delay(settleMs);
    const askedForLives = (await requests(agent)) - asked;

    const names = Array.from({ length: atOnce }, (_, at) => `many-${at}`);
    const created = await Promise.all(names.map((name) => create(tasks, name, spec)));
    await delay(settleMs);
    const askedForCreations = (await requests(agent)) - asked - askedForLives;
    const more = Array.from({ length: idle - atOnce }, (_, at) => `more-${at}`);
    await Promise.all(more.map((name) => create(tasks, name, spec)));
    await delay(settleMs);
    const idled = await idling(agent);
    await Promise.all(more.map((name) => remove(tasks, name)));
    const deleted = await Promise.all(names.map((name) => remove(tasks, name)));

    printTable(
      ['ms until a watch sees it', 'median', 'p99'],
      [
        ...steps.map((step) => row(step, samples[step])),
        row(`create to Running, ${atOnce} at once`, created),
        row(`delete, ${atOnce} at once`, deleted),
      ],
    );
    console.log('');
    printTable(
      ['agent', ''],
      [
        ['requests for a creation', (askedForCreations / atOnce).toFixed(1)],
        ['requests for a whole life', (askedForLives / oneByOne).toFixed(1)],
        [`requests in an idle minute, ${idle} tasks`, String(idled.requests)],
        [`CPU of an idle agent, ${idle} tasks, ‰ of a core`, idled.cpuPerMille.toFixed(1)],
        [`MB resident, ${idle} tasks`, mb(idled.rss)],
      ],
    );
  } finally {
    await node.clean();
  }
}

function newSamples(): Samples {
  return { 'create to Running': [], pause: [], resume: [], update: [], delete: [] };
}

async function life(tasks: ClusterTasks, name: string, spec: object, samples: Samples): Promise<void> {
  samples['create to Running'].push(await create(tasks, name, spec));
  const change = async (patch: object, state: string) =>
    await timed(async () => {
      await tasks.patch(name, patch);
      await tasks.until(name, (seen) => seen?.status.state === state);
    });
  samples.pause.push(await change({ runState: 'Paused' }, 'Paused'));
  samples.resume.push(await change({ runState: 'Running' }, 'Running'));
  samples.update.push(
    await timed(async () => {
      await tasks.patch(name, { resources: { limits: { memory: '64Mi' } } });
      await tasks.until(name, (seen) => seen?.status.resources?.limits?.['memory'] === '64Mi');
    }),
  );
  samples.delete.push(await remove(tasks, name));
}

async function create(tasks: ClusterTasks, name: string, spec: object): Promise<number> {
  return await timed(async () => {
    await tasks.create(name, spec);
    await tasks.until(name, (seen) => seen?.status.state === 'Running');
  });
}

async function remove(tasks: ClusterTasks, name: string): Promise<number> {
  return await timed(async () => {
    await tasks.delete(name);
    await tasks.until(name, (seen) => seen === undefined);
  });
}

interface Idling {
  readonly requests: number;
  readonly cpuPerMille: number;
  /** KiB. */
  readonly rss: number;
}

async function idling(agent: RunningAgent): Promise<Idling> {
  const asked = await requests(agent);
  const usedMs = cpuMs(agent.pid);
  await delay(idleMs);
  const cpuPerMille = ((cpuMs(agent.pid) - usedMs) / idleMs) * 1000;
  return { cpuPerMille, requests: (await requests(agent)) - asked, rss: memoryOf(agent.pid).rss };
}

/** All requests to the API server that the agent has had an answer to, as its own metrics count them. */
async function requests(agent: RunningAgent): Promise<number> {
  const text = await (await fetch(new URL('/metrics', agent.metricsUrl))).text();
  const values = [...text.matchAll(/^runlet_api_requests_total\{.*\} (\d+)/gm)].map(([, value]) => Number(value));
  return values.reduce((sum, value) => sum + value, 0);
}

function row(name: string, samples: readonly number[]): readonly string[] {
  return [name, quantile(samples, 0.5).toFixed(1), quantile(samples, 0.99).toFixed(1)];
}
