import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Task } from '#task/task.ts';
import { anonymousBytes, cpuSeconds, oomKills, throttling } from '../support/kernel-files.ts';
import { measuredNode, serve, type MeasuredNode } from '../support/metrics.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { spec } from '../support/runtime.ts';

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

it(
  'a Prometheus that scrapes the agent has the numbers of its tasks, and forgets them with their end',
  { timeout: 120_000 },
  async () => {
    await using measured = await measuredNode(node);
    const { server, port } = await serve(measured);
    await using _closed = server;
    await using prometheus = await startPrometheus({
      folder: join(node.folder, 'prometheus'),
      target: `127.0.0.1:${port}`,
    });
    const busy = ['/bin/sh', '-c', 'while :; do :; done'];
    const { linux } = spec(node, busy);
    const task = await measured.run('busy', busy, {
      linux: { ...linux, resources: { cpu: { quota: 20_000, period: 100_000 }, memory: { limit: 32 * 1024 * 1024 } } },
    });
    const own = '{namespace="default",task="busy"}';
    const seen = prometheus.value.bind(prometheus);
    await seen('up{job="runlet"}', (value) => value === 1);
    expect(await seen(`runlet_task_memory_limit_bytes${own}`, () => true)).toBe(32 * 1024 * 1024);
    await seen(`runlet_task_cpu_cfs_throttled_periods_total${own}`, (value) => value > 5);
    const used = await seen(`runlet_task_cpu_usage_seconds_total${own}`, (value) => value > 0.05);
    expect(used).toBeLessThanOrEqual(Number(task.stats()?.cpu?.usageUsec) / 1e6);
    // A scrape may come late: many of them are nearer to the truth than two.
    await seen(`count_over_time(runlet_task_cpu_usage_seconds_total${own}[10s])`, (count) => count >= 6);
    // A fifth of a core is what it may have; a scrape now and then gives some play.
    const rate = await seen(`rate(runlet_task_cpu_usage_seconds_total${own}[10s])`, (value) => value > 0.02);
    expect(rate).toBeLessThan(0.4);
    await task.kill(9);
    await task.wait();
    await eventually(
      () => prometheus.query(`runlet_task_cpu_usage_seconds_total${own}`),
      (value) => value === undefined,
      'the series of the task has ended',
    );
    expect(await seen(`runlet_task_last_exit_status${own}`, () => true)).toBe(137);
    await seen('runlet_finished_tasks_total{reason="Exited"}', (value) => value === 1);
    await seen('runlet_finished_cpu_seconds_total', (value) => value >= (used ?? 0));
  },
);

it(
  'a Prometheus has what tasks are known to use, to the last digit of the kernel’s files',
  { timeout: 180_000 },
  async () => {
    await using measured = await measuredNode(node);
    const { server, port } = await serve(measured);
    await using _closed = server;
    await using prometheus = await startPrometheus({
      folder: join(node.folder, 'prometheus'),
      target: `127.0.0.1:${port}`,
    });
    const seen = async (metric: string, id: string, kernel: () => number, ...labels: readonly string[]) => {
      const series = `runlet_task_${metric}{${[`namespace="default",task="${id}"`, ...labels].join(',')}}`;
      const told = await eventually(
        async () => ({ prometheus: await prometheus.query(series), kernel: kernel() }),
        (both) => both.prometheus === both.kernel,
        `${metric} of ${id}`,
      );
      return told.kernel;
    };

    const burnt = await run(measured, 'burn', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exec sleep 100000');
    const held = await run(
      measured,
      'hold',
      `{ head -c ${heldBytes} /dev/zero; exec sleep 100000; } | tail -c ${heldBytes}`,
    );
    const slow = await run(measured, 'slow', 'while :; do :; done', { cpu: { quota: 10_000, period: 100_000 } });
    const memory = { limit: 24 * mebibyte, swap: 24 * mebibyte };
    await run(measured, 'kill', 'dd if=/dev/zero of=/dev/null bs=64M count=1; exec sleep 100000', { memory });

    await eventually(
      () => commandOf(burnt.pid),
      (line) => line.startsWith('sleep'),
      'the work is done',
    );
    const cpu = await seen('cpu_usage_seconds_total', 'burn', () => cpuSeconds(node, 'burn'));
    // What the process itself has used is counted in ticks; starting it is the cgroup's too.
    expect(cpu).toBeGreaterThanOrEqual(processSeconds(burnt.pid) - 0.02);
    expect(cpu).toBeLessThan(processSeconds(burnt.pid) + 1);

    await eventually(
      () => anonymousBytes(node, 'hold'),
      (bytes) => bytes >= heldBytes,
      'the memory is taken',
    );
    await held.pause();
    const anonymous = await seen('memory_bytes', 'hold', () => anonymousBytes(node, 'hold'), 'kind="anon"');
    expect(anonymous).toBeLessThan(heldBytes + 4 * mebibyte);

    await eventually(
      () => throttling(node, 'slow').throttled,
      (periods) => periods >= 10,
      'the task is throttled',
    );
    await slow.pause();
    const throttled = await seen('cpu_cfs_throttled_periods_total', 'slow', () => throttling(node, 'slow').throttled);
    const periods = await seen('cpu_cfs_periods_total', 'slow', () => throttling(node, 'slow').periods);
    const seconds = await seen('cpu_cfs_throttled_seconds_total', 'slow', () => throttling(node, 'slow').seconds);
    expect(throttled).toBeLessThanOrEqual(periods);
    // It has a tenth of a period and waits for the rest of it, on each processor that it has begun it on.
    expect(seconds / throttled).toBeGreaterThan(0.01);
    expect(seconds / throttled).toBeLessThan(1);

    await eventually(
      () => oomKills(node, 'kill'),
      (kills) => kills === 1,
      'a process is killed for want of memory',
    );
    expect(await seen('oom_kills_total', 'kill', () => oomKills(node, 'kill'))).toBe(1);
  },
);

const mebibyte = 1024 * 1024;
const heldBytes = 24 * mebibyte;

async function run(measured: MeasuredNode, id: string, script: string, resources: object = {}): Promise<Task> {
  const args = ['/bin/sh', '-c', script];
  const { linux } = spec(node, args);
  return await measured.run(id, args, { linux: { ...linux, resources } });
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

/** CPU time of a process by proc(5), which counts in hundredths of a second. */
function processSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return ((user ?? 0) + (system ?? 0)) / 100;
}
