/** Runs in the virtual machine: drives the core and its metrics on the unified hierarchy and reports on the console. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KeptFiles } from '#host/kept-files.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Task } from '#task/task.ts';
import { measuredNode, type MeasuredNode } from '../../support/metrics.ts';
import { eventually, makeTestNode, type TestNode } from '../../support/node.ts';
import { spec } from '../../support/runtime.ts';

const node = makeTestNode();

function report(name: string, value: unknown): void {
  const json = JSON.stringify({ name, value }, (_key, each: unknown) =>
    typeof each === 'bigint' ? Number(each) : each,
  );
  process.stdout.write(`@report ${json}\n`);
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

/** Every series of one task: its own labels after the name, the value as it is written. */
async function seriesOf(measured: MeasuredNode, id: string): Promise<Record<string, string>> {
  const { text } = await measured.scrape();
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

function withLimits(args: readonly string[], resources: object, from: TestNode = node): Partial<RuntimeSpec> {
  const { linux } = spec(from, args);
  return { linux: { ...linux, resources } };
}

const shell = (script: string) => ['/bin/sh', '-c', script];

/** Keeps a CPU busy, then sleeps, so that its numbers stand still. */
const burnThenSleep = shell('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 100000');

async function asleep(task: Task): Promise<void> {
  await eventually(
    () => readFileSync(`/proc/${task.pid}/cmdline`, 'utf8'),
    (line) => line.startsWith('sleep'),
    'the task sleeps',
  );
}

/** Numbers of a task at rest, beside the kernel's files, and a pause and a resume of it. */
async function statistics(measured: MeasuredNode): Promise<void> {
  const limits = { memory: { limit: 64 * 1024 * 1024 }, pids: { limit: 50 }, cpu: { quota: 50_000, period: 100_000 } };
  const task = await measured.run('calm', burnThenSleep, withLimits(burnThenSleep, limits));
  await asleep(task);
  await task.pause();
  const files = filesOf('calm');
  const series = await seriesOf(measured, 'calm');
  report('statistics', { files, series, after: filesOf('calm') });
  const frozen = [filesOf('calm')['cgroup.events'], task.stats('full')?.group];
  await task.resume();
  report('pause', { frozen, thawed: [filesOf('calm')['cgroup.events'], task.stats('full')?.group] });
  await task.update({
    memory: { limit: 96 * 1024 * 1024 },
    cpu: { quota: 25_000, period: 100_000 },
    pids: { limit: 60 },
  });
  report('update', { files: filesOf('calm'), series: await seriesOf(measured, 'calm') });
}

/** A task that wants more CPU than it may have. */
async function throttling(measured: MeasuredNode): Promise<void> {
  const args = shell('while :; do :; done');
  const task = await measured.run('busy', args, withLimits(args, { cpu: { quota: 10_000, period: 100_000 } }));
  await eventually(
    () => task.stats()?.cpu?.throttledPeriods ?? 0n,
    (periods) => periods >= 5n,
    'the task is throttled',
  );
  await task.pause();
  report('throttling', { files: filesOf('busy'), series: await seriesOf(measured, 'busy') });
  await task.resume();
  await task.kill(9);
  report('throttling exit', { ...(await task.wait()) });
}

/** A task that wants more memory than it may have. */
async function outOfMemory(measured: MeasuredNode): Promise<void> {
  const args = shell('dd if=/dev/zero of=/dev/null bs=128M count=1');
  const task = await measured.run(
    'greedy',
    args,
    withLimits(args, { memory: { limit: 32 * 1024 * 1024, swap: 32 * 1024 * 1024 } }),
  );
  const exit = await task.wait();
  const { text } = await measured.scrape();
  report('out of memory', {
    exit,
    counted: task.oomKills,
    finished: text.split('\n').filter((line) => line.startsWith('runlet_finished_')),
    series: await seriesOf(measured, 'greedy'),
  });
}

/** A task that reads and writes known amounts on the disk. */
async function disk(measured: MeasuredNode): Promise<void> {
  const [major = 0, minor = 0] = readFileSync('/sys/block/vda/dev', 'utf8').trim().split(':').map(Number);
  const args = shell(
    'dd if=/dev/vda of=/dev/null bs=1M count=8 && dd if=/dev/zero of=/dev/vda bs=1M count=4 seek=16 conv=fsync && exec sleep 100000',
  );
  const { linux } = spec(node, args);
  const devices = [{ path: '/dev/vda', type: 'b', major, minor, fileMode: 0o600 }];
  const task = await measured.run('disk', args, {
    linux: { ...linux, devices, resources: { devices: [{ allow: true, access: 'rwm' }] } },
  });
  await asleep(task);
  report('disk', { files: filesOf('disk'), series: await seriesOf(measured, 'disk') });
}

// Nothing else keeps the program alive while it waits for the end of a task.
const alive = setInterval(() => {}, 1_000);
{
  await using measured = await measuredNode(node, { profile: 'full' });
  for (const step of [statistics, throttling, outOfMemory, disk]) {
    try {
      await step(measured);
    } catch (error) {
      report(`${step.name} failed`, String(error instanceof Error ? error.stack : error));
    }
  }
}
report('files kept open', KeptFiles.count);
report('leftovers', node.leftovers());
await node.clean();
report('end', true);
clearInterval(alive);
