import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { measuredNode, serve } from '../support/metrics.ts';
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
