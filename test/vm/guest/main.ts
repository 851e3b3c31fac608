/** Runs in the virtual machine: drives the built program, agent and client, on the unified hierarchy and reports on the console. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeAgentNode, type RunningAgent } from '../../support/agent.ts';
import { cli } from '../../support/cli-process.ts';
import { runCli, testShell } from '../../support/cli.ts';
import { parseScrape, type Scrape } from '../../support/metrics.ts';
import { eventually } from '../../support/node.ts';
import { Scraper } from '../../support/scraper.ts';
import { endpointPort } from './port.ts';

const node = makeAgentNode('/app/dist/runlet.js');
const file = (name: string) => join('/app/files', name);
const scraper = new Scraper({
  ca: file('servers.crt'),
  certificate: { cert: file('guest.crt'), key: file('guest.key') },
});
const host = createInterface({ input: process.stdin });

function report(name: string, value: unknown): void {
  process.stdout.write(`@report ${JSON.stringify({ name, value })}\n`);
}

/** Runs the client within this process, for to start Node takes seconds here; fails with what it said unless it ends well. */
async function runlet(...argv: string[]): Promise<string> {
  const shell = { ...testShell(), env: { RUNLET_ADDRESS: node.socket } };
  return wellEnded(argv, await runCli(argv, shell));
}

/** The same with the built program, as a process of its own. */
async function built(...argv: string[]): Promise<string> {
  return wellEnded(argv, await cli(node, argv));
}

function wellEnded(argv: readonly string[], { status, stdout, stderr }: Ended): string {
  if (status !== 0) throw new Error(`runlet ${argv.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a task ended, as the client shows it. */
async function exitOf(id: string): Promise<unknown> {
  const { task } = JSON.parse(await built('inspect', id)) as { readonly task: { readonly exit?: object } };
  return task.exit;
}

async function startAgent(): Promise<RunningAgent> {
  return await node.start({
    flags: [
      ...['--metrics-profile', 'full', '--metrics-address', `0.0.0.0:${endpointPort}`, '--metrics-auth', 'mtls'],
      ...['--metrics-tls-cert', file('guest-server.crt'), '--metrics-tls-key', file('guest-server.key')],
      ...['--metrics-client-ca', file('clients.crt')],
    ],
  });
}

async function scrape(): Promise<Scrape> {
  return parseScrape((await scraper.ask(`https://127.0.0.1:${endpointPort}/metrics`)).body);
}

/** The files of a task's cgroup as the kernel has them. */
function filesOf(id: string): Record<string, string> {
  const folder = join('/sys/fs/cgroup', node.cgroupParent, 'default', id);
  const names = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(names.flatMap((name) => fileEntry(folder, name)));
}

function fileEntry(folder: string, name: string): [string, string][] {
  try {
    return [[name, readFileSync(join(folder, name), 'utf8')]];
  } catch {
    return []; // only for writing, or not counted by this kernel
  }
}

/** The processes of a task, as the kernel has them: asking the client takes long here. */
function pidsOf(id: string): readonly number[] {
  return (filesOf(id)['cgroup.procs'] ?? '').split('\n').filter(Boolean).map(Number);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}

/** Every series of one task: its own labels after the name, the value as it is written. */
async function seriesOf(id: string): Promise<Record<string, string>> {
  const { text } = await scrape();
  const own = `namespace="default",task="${id}"`;
  const lines = text.split('\n').filter((line) => line.startsWith('runlet_task_') && line.includes(`{${own}`));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      const name = line.slice(0, space).replace(`${own},`, '').replace(`{${own}}`, '');
      return [name, line.slice(space + 1)];
    }),
  );
}

/** Makes and starts a task of the node's busybox that runs a script. */
async function start(id: string, script: string, ...flags: string[]): Promise<void> {
  await runlet('run', '-d', '--name', id, ...flags, '--rootfs', node.rootfs, 'sh', '-c', script);
}

async function asleep(id: string): Promise<void> {
  await eventually(
    () => pidsOf(id).map(commandLine),
    ([line, ...others]) => line?.startsWith('sleep') === true && others.length === 0,
    'the task sleeps',
  );
}

/** Numbers of a task at rest, beside the kernel's files, and a pause, a resume and an update of it. */
async function statistics(): Promise<void> {
  // Keeps a CPU busy, then sleeps, so that its numbers stand still.
  const script = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 100000';
  await start('calm', script, '--memory', '64Mi', '--pids', '50', '--cpu', '500m');
  await asleep('calm');
  const states = async () => {
    const now = await seriesOf('calm');
    const shown = ['state{state="running"}', 'state{state="paused"}', 'frozen'].map(
      (name) => now[`runlet_task_${name}`],
    );
    return [filesOf('calm')['cgroup.events'], ...shown];
  };
  await runlet('pause', 'calm');
  const files = filesOf('calm');
  const series = await seriesOf('calm');
  const usage = JSON.parse(await built('stats', 'calm', '--sample', '0', '-o', 'json')) as unknown;
  report('statistics', { files, series, usage, after: filesOf('calm') });
  const frozen = await states();
  await runlet('resume', 'calm');
  report('pause', { frozen, thawed: await states() });
  await runlet('update', 'calm', '--memory', '96Mi', '--cpu', '250m', '--pids', '60');
  report('update', { files: filesOf('calm'), series: await seriesOf('calm') });
}

/** A task that goes on while its agent is killed and another one takes it over. */
async function takenOver(): Promise<void> {
  const before = { pids: pidsOf('calm'), series: await seriesOf('calm') };
  await agent.stop('SIGKILL');
  agent = await startAgent();
  report('taken over', { before, after: { pids: pidsOf('calm'), series: await seriesOf('calm') } });
}

/** A task that wants more CPU than it may have; another one of its kind goes on. */
async function throttling(): Promise<void> {
  for (const id of ['busy', 'going-on']) await start(id, 'while :; do :; done', '--cpu', '100m');
  await eventually(
    async () => Number((await seriesOf('busy'))['runlet_task_cpu_cfs_throttled_periods_total']),
    (periods) => periods >= 5,
    'the task is throttled',
  );
  await runlet('pause', 'busy');
  report('throttling', { files: filesOf('busy'), series: await seriesOf('busy') });
  await runlet('resume', 'busy');
  await runlet('kill', '-s', 'KILL', 'busy');
  await eventually(
    async () => (await seriesOf('busy'))['runlet_task_state{state="stopped"}'],
    (stopped) => stopped === '1',
    'the task has ended',
  );
  report('throttling exit', await exitOf('busy'));
}

/** A task that wants more memory than it may have. */
async function outOfMemory(): Promise<void> {
  const script = 'dd if=/dev/zero of=/dev/null bs=128M count=1';
  const argv = ['run', '--name', 'greedy', '--memory', '32Mi', '--rootfs', node.rootfs, 'sh', '-c', script];
  const { status } = await cli(node, argv);
  const { text, value } = await scrape();
  report('out of memory', {
    status,
    exit: await exitOf('greedy'),
    counted: value('runlet_task_oom_kills_total{namespace="default",task="greedy"}') ?? null,
    finished: text.split('\n').filter((line) => line.startsWith('runlet_finished_')),
    series: await seriesOf('greedy'),
  });
}

/** A task that reads and writes known amounts on the disk. */
async function disk(): Promise<void> {
  const script = [
    'dd if=/dev/vda of=/dev/null bs=1M count=8',
    'dd if=/dev/zero of=/dev/vda bs=1M count=4 seek=16 conv=fsync',
    'exec sleep 100000',
  ].join(' && ');
  await start('disk', script, '--privileged');
  await asleep('disk');
  report('disk', { files: filesOf('disk'), series: await seriesOf('disk') });
}

/** Says that all is at rest but for one task, and goes on when the host has seen enough. */
async function watched(): Promise<void> {
  const files = Object.fromEntries(['calm', 'disk', 'going-on'].map((id) => [id, filesOf(id)]));
  const next = new Promise<void>((resolve) => host.once('line', () => resolve()));
  report('watched', files);
  await next;
}

/** All tasks are removed and the agent leaves. */
async function end(): Promise<void> {
  await runlet('rm', '-f', 'calm', 'busy', 'going-on', 'greedy', 'disk');
  const { text, family } = await scrape();
  report('finished', {
    counted: text.split('\n').filter((line) => line.startsWith('runlet_finished_')),
    tasks: family('runlet_task_info'),
    open: openFiles(agent.pid).filter((path) => path.startsWith(`/sys/fs/cgroup${node.cgroupParent}/default/`)),
  });
  report('agent', { status: await agent.stop('SIGTERM'), errors: errorsOf(agent) });
  report('leftovers', node.leftovers());
}

function openFiles(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return []; // closed meanwhile
    }
  });
}

function errorsOf(of: RunningAgent): readonly unknown[] {
  return of.logLines().filter(({ level }) => Number(level) >= 50);
}

const started = Date.now();
let agent = await startAgent();
for (const step of [statistics, takenOver, throttling, outOfMemory, disk, watched, end]) {
  try {
    await step();
  } catch (error) {
    report(`${step.name} failed`, String(error instanceof Error ? error.stack : error));
    report('log', agent.log().slice(-3000));
  }
  report(`${step.name} after`, Date.now() - started);
}
scraper[Symbol.dispose]();
await node.clean();
report('end', true);
host.close();
