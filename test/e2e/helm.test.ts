import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pidsBelow, startCluster, type Cluster, type KubeObject } from '../support/cluster.ts';
import { eventually } from '../support/node.ts';
import { makeBusyboxRootfs } from '../support/rootfs.ts';
import { missedTicks, readTicks, tickerTask } from '../support/ticker.ts';

const project = join(import.meta.dirname, '../..');
const chart = join(project, 'charts/runlet');
const limitMs = 180_000;
/** Between two questions to the API server; each starts a program. */
const pollMs = 500;
const timeout = `${limitMs / 1000}s`;
const namespace = 'team';
const system = ['-n', 'runlet-system'];
const agentPods = ['pods', ...system, '-l', 'app.kubernetes.io/component=agent'];

let cluster: Cluster;
/** The ticking task's process, as its node sees it. */
let pid: number;
/** How many ticks there were when the last test that may pause them had ended. */
let ticksBefore = 0;
/** Changed back and forth to see that an agent is at work. */
let graceSeconds = 1;

beforeAll(async () => {
  cluster = await startCluster();
  makeBusyboxRootfs(join(cluster.folder, 'rootfs/busybox'));
  await cluster.importImage(imageArchive());
});
afterAll(async () => await cluster?.[Symbol.asyncDispose]());

/** The image of the checkout, or one that was made before. */
function imageArchive(): string {
  const made = process.env['RUNLET_IMAGE_ARCHIVE'];
  if (made) return made;
  const archive = join(cluster.folder, 'image.tar');
  const argv = [join(project, 'scripts/image.ts'), '--output', archive];
  execFileSync(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  return archive;
}

/** What all installs of this test have beside the line of the README. */
function values(): string[] {
  return [
    ...['--set', 'allowUnsupportedKubernetes=true', '--set', `agent.cgroupParent=${cluster.cgroup}/runlet`],
    ...['--set', `agent.rootfsAllow={${join(cluster.folder, 'rootfs')}}`, '--timeout', timeout],
  ];
}

const task = async (): Promise<KubeObject> => await cluster.get('nodetask', '-n', namespace, 'ticker');

async function waitFor(condition: string): Promise<void> {
  await cluster.kubectl([
    'wait',
    '-n',
    namespace,
    'nodetask/ticker',
    `--for=condition=${condition}`,
    `--timeout=${timeout}`,
  ]);
}

async function applyTicker(): Promise<void> {
  const rootfs = join(cluster.folder, 'rootfs/busybox');
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(tickerTask(cluster, { namespace, rootfs })));
  await waitFor('Ready');
}

async function patch(spec: object): Promise<void> {
  const argv = ['patch', '-n', namespace, 'nodetask/ticker', '--type=merge', '-p', JSON.stringify({ spec })];
  await cluster.kubectl(argv);
  await waitFor('Ready');
}

/** The uid of the agent's pod if there is only one and it is ready. */
async function readyAgent(): Promise<string> {
  await setTimeout(pollMs);
  const { items = [] } = await cluster.get(...agentPods);
  return items.length === 1 && items[0] && isReady(items[0]) ? items[0].metadata.uid : '';
}

/** Waits for the one agent's pod that is not `previous` and not on its way out to be ready, and returns its uid. */
async function agentReady(previous?: string): Promise<string> {
  return await eventually(readyAgent, (uid) => uid !== '' && uid !== previous, 'an agent that is ready', limitMs);
}

function isReady(pod: KubeObject): boolean {
  const conditions = (pod.status?.['conditions'] ?? []) as readonly { type: string; status: string }[];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** Waits for ticks after those of now, then says what was missed since the last time. */
async function missed(): Promise<string[]> {
  const { length } = readTicks(cluster);
  await eventually(
    () => readTicks(cluster).length,
    (now) => now > length + 10,
    'ticks that go on',
    limitMs,
  );
  const ticks = readTicks(cluster);
  const from = ticksBefore;
  ticksBefore = ticks.length;
  return missedTicks(ticks, from);
}

/** The state, process, starts and missed ticks of the task, as an agent that answers to a change of the object says. */
async function present(): Promise<object> {
  graceSeconds = 3 - graceSeconds;
  await patch({ terminationGracePeriodSeconds: graceSeconds });
  const { status } = await task();
  return { state: status?.['state'], pid: status?.['pid'], restarts: status?.['restartCount'], missed: await missed() };
}

const unchanged = () => ({ state: 'Running', pid, restarts: 0, missed: [] });

// A step builds on those before it, so none is tried again alone.
describe('runlet installed by Helm on a whole cluster', { retry: 0 }, () => {
  let failed = false;
  beforeEach(({ skip }) => {
    if (failed) skip('a step before it has failed');
  });
  afterEach(async ({ task: { result } }) => {
    if (result?.state !== 'fail') return;
    failed = true;
    process.stderr.write(`${await describePods()}\n${cluster.logs()}\n`);
  });

  it('is installed by the line of its README, with an agent that is ready', async () => {
    const [, line = ''] = /^(helm install runlet .*)$/m.exec(readFileSync(join(chart, 'README.md'), 'utf8')) ?? [];
    const [, ...words] = line.replace('charts/runlet', chart).split(' ');
    await cluster.helm([...words, ...values()]);
    expect(await agentReady()).not.toBe('');
    await cluster.kubectl(['rollout', 'status', 'deployment/runlet-controller', ...system, `--timeout=${timeout}`]);
    await cluster.helm(['test', 'runlet', ...system, '--timeout', timeout]);
  });

  it('runs a task that is applied', async () => {
    const level = 'pod-security.kubernetes.io/enforce=privileged';
    await cluster.kubectl(['create', 'namespace', namespace]);
    await cluster.kubectl(['label', 'namespace', namespace, level]);
    await applyTicker();
    const { status } = await task();
    expect(status).toMatchObject({ state: 'Running', restartCount: 0 });
    pid = Number(status?.['pid']);
    expect(pid).toBeGreaterThan(0);
    expect(await missed()).toEqual([]);
  });

  it('pauses, resumes and resizes it by patches that can be waited for', async () => {
    await patch({ runState: 'Paused' });
    expect((await task()).status).toMatchObject({ state: 'Paused', pid });
    const { length } = readTicks(cluster);
    await patch({ resources: { limits: { cpu: '400m', memory: '96Mi' } } });
    expect(readTicks(cluster)).toHaveLength(length);
    await patch({ runState: 'Running' });
    const resources = { limits: { cpu: '400m', memory: '96Mi' } };
    expect((await task()).status).toMatchObject({ state: 'Running', pid, resources });
    ticksBefore = length + 1;
    expect(await missed()).toEqual([]);
  });

  it('lets those read its metrics over TLS whose account may', async () => {
    await cluster.kubectl(['create', 'serviceaccount', '-n', namespace, 'scraper']);
    const subject = `--serviceaccount=${namespace}:scraper`;
    await cluster.kubectl(['create', 'clusterrolebinding', 'scraper', '--clusterrole=runlet-metrics', subject]);
    const secret = await cluster.get('secret', ...system, 'runlet-metrics');
    const { data } = secret as KubeObject & { readonly data: Readonly<Record<string, string>> };
    const authority = join(cluster.folder, 'metrics.crt');
    writeFileSync(authority, Buffer.from(data['tls.crt'] ?? '', 'base64'));
    const scrape = async (account: string) => {
      const token = (await cluster.kubectl(['create', 'token', '-n', namespace, account])).trim();
      const { items = [] } = await cluster.get(...agentPods);
      const address = `runlet:9620:${String(items[0]?.status?.['podIP'])}:9620`;
      const options = ['--silent', '--max-time', '30', '--cacert', authority, '--connect-to', address];
      const argv = [
        'curl',
        ...options,
        '-H',
        `Authorization: Bearer ${token}`,
        '-w',
        '\n%{http_code}',
        'https://runlet:9620/metrics',
      ];
      return (await cluster.namespaces.run(argv)).stdout;
    };
    expect(await scrape('default')).toMatch(/\n403$/);
    const look = async () => await scrape('scraper');
    const text = await eventually(look, (said) => said.endsWith('\n200'), 'a scrape', limitMs);
    expect(text).toMatch(/^\w+\{[^}]*"ticker"[^}]*\} \d/m);
  });

  it('adopts it when the agent’s pod was deleted', async () => {
    const before = await agentReady();
    await cluster.kubectl(['delete', ...agentPods, '--wait=false']);
    await agentReady(before);
    expect(await present()).toEqual(unchanged());
  });

  it('goes on when containerd of the node was killed and started again', async () => {
    await cluster.restartContainerd();
    expect(await present()).toEqual(unchanged());
    await agentReady();
  });

  it('misses no tick over an upgrade and a rollback', async () => {
    const first = await agentReady();
    const changed = ['--set', 'agent.logLevel=debug', '--wait'];
    await cluster.helm(['upgrade', 'runlet', chart, ...system, ...values(), ...changed]);
    const second = await agentReady(first);
    expect(await present()).toEqual(unchanged());
    await cluster.helm(['rollback', 'runlet', '1', ...system, '--wait', '--timeout', timeout]);
    await agentReady(second);
    expect(await present()).toEqual(unchanged());
  });

  it('leaves nothing of a task that is deleted', async () => {
    await cluster.kubectl(['delete', '-n', namespace, 'nodetask/ticker', `--timeout=${timeout}`]);
    expect(await tasksLeft()).toEqual([]);
  });

  it('ends every process of tasks when it is uninstalled with the policy Stop, and no object hangs', async () => {
    await applyTicker();
    const stop = ['--set', 'uninstall.policy=Stop', '--wait'];
    await cluster.helm(['upgrade', 'runlet', chart, ...system, ...values(), ...stop]);
    await cluster.helm(['uninstall', 'runlet', ...system, '--wait', '--timeout', timeout]);
    const look = async () => (await cluster.get('pods', ...system)).items?.length;
    await eventually(look, (count) => count === 0, 'the end of the pods', limitMs);
    await cluster.kubectl(['delete', 'namespace', namespace, `--timeout=${timeout}`]);
    expect(pidsBelow(`${cluster.cgroup}/runlet`)).toEqual([]);
  });
});

/** What kubelet and the pods themselves say of the pods of the release. */
async function describePods(): Promise<string> {
  const questions = [
    ['describe', 'pods'],
    ['logs', '-l', 'app.kubernetes.io/name=runlet', '--tail=20'],
    ['get', 'nodetasks', '--all-namespaces', '-o', 'yaml'],
  ];
  const answers = questions.map(async (words) => await cluster.kubectl([...words, ...system]).catch(String));
  return (await Promise.all(answers)).join('\n');
}

/** Processes and mounts of tasks that are still there. */
async function tasksLeft(): Promise<string[]> {
  const { stdout } = await cluster.namespaces.run(['cat', '/proc/self/mounts']);
  const folders = ['/var/lib/runlet/', '/run/runlet/'];
  return [
    ...pidsBelow(`${cluster.cgroup}/runlet`).map((left) => `process ${left}`),
    ...stdout.split('\n').filter((line) => folders.some((folder) => line.split(' ')[1]?.startsWith(folder))),
  ];
}
