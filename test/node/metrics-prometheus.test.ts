import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { measuredNode, serve } from '../support/metrics.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { spec } from '../support/runtime.ts';

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A Prometheus of the test's own that scrapes one address each second. */
async function startPrometheus(
  target: number,
): Promise<AsyncDisposable & { query(text: string): Promise<number | undefined> }> {
  const folder = join(node.folder, 'prometheus');
  mkdirSync(folder);
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'runlet', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify(config));
  const port = await freePort();
  const server = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  return {
    query: async (text) => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`).catch(
        () => undefined,
      );
      if (!answer?.ok) return undefined;
      const { data } = (await answer.json()) as { data: { result: readonly { value: readonly [number, string] }[] } };
      return data.result[0] && Number(data.result[0].value[1]);
    },
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    },
  };
}

it(
  'a Prometheus that scrapes the agent has the numbers of its tasks, and forgets them with their end',
  { timeout: 120_000 },
  async () => {
    await using measured = await measuredNode(node);
    const { server, port } = await serve(measured);
    await using _closed = server;
    await using prometheus = await startPrometheus(port);
    const busy = ['/bin/sh', '-c', 'while :; do :; done'];
    const { linux } = spec(node, busy);
    const task = await measured.run('busy', busy, {
      linux: { ...linux, resources: { cpu: { quota: 20_000, period: 100_000 }, memory: { limit: 32 * 1024 * 1024 } } },
    });
    const own = '{namespace="default",task="busy"}';
    const seen = async (query: string, good: (value: number) => boolean) =>
      await eventually(
        () => prometheus.query(query),
        (value) => value !== undefined && good(value),
        query,
      );
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
