import { afterEach, beforeEach, expect, it } from 'vitest';
import { tell } from '#log/notices.ts';
import { AgentMetrics } from './agent.ts';
import { Exposition } from './exposition.ts';
import { writeAgent } from './write-agent.ts';

let metrics: AgentMetrics;
beforeEach(() => {
  metrics = new AgentMetrics({ version: '1.2.3', revision: 'abc' });
});
afterEach(() => metrics[Symbol.dispose]());

async function exposed(): Promise<readonly string[]> {
  const out = new Exposition('text');
  writeAgent(await metrics.registry.getMetricsAsJSON(), out);
  return out.end().toString().split('\n');
}

it('counts what a work queue tells', async () => {
  metrics.queue.added();
  metrics.queue.depth(7);
  metrics.queue.retried();
  metrics.queue.waited(250);
  metrics.queue.worked(1_500);
  expect(await exposed()).toEqual(
    expect.arrayContaining([
      'runlet_workqueue_depth 7',
      'runlet_workqueue_adds_total 1',
      'runlet_workqueue_retries_total 1',
      'runlet_workqueue_wait_seconds_sum 0.25',
      'runlet_reconcile_duration_seconds_sum 1.5',
    ]),
  );
});

it('counts what the client of the API server tells, and when the server was last heard', async () => {
  metrics.client.request({ method: 'PATCH', code: '403', durationMs: 20 });
  metrics.client.listed('nodetasks');
  metrics.client.watchEvent('nodetasks', 'MODIFIED');
  metrics.client.watchEnded('nodetasks', 'expired');
  const lines = await exposed();
  expect(lines).toEqual(
    expect.arrayContaining([
      'runlet_api_requests_total{method="PATCH",code="403"} 1',
      'runlet_watch_lists_total{resource="nodetasks"} 1',
      'runlet_watch_events_total{resource="nodetasks",type="MODIFIED"} 1',
      'runlet_watch_ends_total{resource="nodetasks",reason="expired"} 1',
    ]),
  );
  expect(
    lines.some((line) => line.startsWith('runlet_watch_last_event_timestamp_seconds{resource="nodetasks"} ')),
  ).toBe(true);
});

it('counts what is told from deep inside, until it is disposed of', async () => {
  tell('log-rotated', { bytes: 4096 });
  tell('orphan-found', { kind: 'cgroup' });
  tell('spawned', { durationMs: 2 });
  metrics[Symbol.dispose]();
  tell('log-rotated', { bytes: 1 });
  expect(await exposed()).toEqual(
    expect.arrayContaining([
      'runlet_log_rotations_total 1',
      'runlet_log_bytes_total 4096',
      'runlet_orphans_total{kind="cgroup"} 1',
      'runlet_spawn_duration_seconds_count 1',
    ]),
  );
});

it('says which program runs, and how many descriptors it has open', async () => {
  const lines = await exposed();
  expect(lines).toContain(
    `runlet_build_info{version="1.2.3",revision="abc",node_version="${process.versions.node}"} 1`,
  );
  const open = lines.find((line) => line.startsWith('process_open_fds '));
  expect(Number(open?.split(' ')[1])).toBeGreaterThan(3);
});
