import { describe, expect, it } from 'vitest';
import type { StatsDetail, TaskStats } from '#cgroup/stats.ts';
import { silentLog } from '#log/log.ts';
import { createTask, execId, recoveredNode, specOf, taskRef, type FakeNode } from '../../test/support/tasks.ts';
import { noIo } from '#task/io.ts';
import type { CardinalityLimits } from './cardinality.ts';
import { defaultLimits } from './cardinality.ts';
import { Metrics } from './metrics.ts';

async function metricsOf(
  node: FakeNode,
  more: { readonly profile?: StatsDetail; readonly limits?: CardinalityLimits } = {},
): Promise<Metrics> {
  return new Metrics({
    tasks: node.manager,
    profile: more.profile ?? 'standard',
    describe: ({ id }) => ({
      image: `registry.example/${id}:1`,
      uid: `uid-of-${id}`,
      kubeNamespace: 'shop',
      restarts: 2,
    }),
    build: { version: '1.2.3' },
    log: silentLog(),
    ...(more.limits ? { limits: more.limits } : {}),
  });
}

async function taskLines(metrics: Metrics): Promise<readonly string[]> {
  const text = (await metrics.expose('text')).toString();
  return text.split('\n').filter((line) => line.startsWith('runlet_task_'));
}

async function finishedLines(metrics: Metrics): Promise<readonly string[]> {
  const text = (await metrics.expose('text')).toString();
  return text.split('\n').filter((line) => line.startsWith('runlet_finished_'));
}

const stats: TaskStats = {
  version: 2,
  cpu: { usageUsec: 1_500_000n, userUsec: 1_000_001n, systemUsec: 499_999n, quotaUsec: 50_000n, periodUsec: 100_000n },
  memory: { usageBytes: 9_007_199_254_740_993n, limitBytes: 'unlimited', events: { max: 3n, oom_kill: 1n } },
  io: {
    devices: [
      { device: '999:0', bytes: { read: 1n, write: 2n }, operations: { read: 3n } },
      { device: '999:1', bytes: { read: 4n }, operations: {} },
    ],
  },
  network: [
    {
      name: 'eth0',
      receive: { bytes: 10n, packets: 1n, errors: 0n, dropped: 0n },
      transmit: { bytes: 20n, packets: 2n, errors: 0n, dropped: 0n },
    },
  ],
};

describe('the metrics of a task', () => {
  it('are written exactly, with its names as labels', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    node.runtime.stats = stats;
    await (await node.manager.create(createTask('web'))).start();
    const lines = await taskLines(metrics);
    const own = 'namespace="default",task="web"';
    expect(lines).toEqual(
      expect.arrayContaining([
        `runlet_task_info{${own},kube_namespace="shop",uid="uid-of-web",image="registry.example/web:1",runtime="runc"} 1`,
        `runlet_task_state{${own},state="running"} 1`,
        `runlet_task_state{${own},state="paused"} 0`,
        `runlet_task_restarts_total{${own}} 2`,
        `runlet_task_cpu_usage_seconds_total{${own}} 1.5`,
        `runlet_task_cpu_seconds_total{${own},mode="user"} 1.000001`,
        `runlet_task_cpu_limit_cores{${own}} 0.5`,
        `runlet_task_memory_usage_bytes{${own}} 9007199254740993`,
        `runlet_task_memory_limit_bytes{${own}} +Inf`,
        `runlet_task_memory_events_total{${own},event="max"} 3`,
        `runlet_task_io_bytes_total{${own},device="999:0",op="write"} 2`,
        `runlet_task_network_bytes_total{${own},interface="eth0",direction="transmit"} 20`,
      ]),
    );
    expect(lines.filter((line) => line.startsWith('runlet_task_memory_peak_bytes'))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('runlet_task_io_operations_total'))).toHaveLength(1);
  });

  it('are fewer in a smaller profile and more in a larger one', async () => {
    const node = await recoveredNode();
    node.runtime.stats = stats;
    await (await node.manager.create(createTask('web'))).start();
    const counts = [];
    for (const profile of ['basic', 'standard', 'full'] as const) {
      using metrics = await metricsOf(node, { profile });
      counts.push((await taskLines(metrics)).length);
    }
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(counts).size).toBe(3);
  });

  it('are bounded, and what is left out is counted', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node, { limits: { ...defaultLimits, maxDevices: 1, interfaces: /^lo$/ } });
    node.runtime.stats = stats;
    await (await node.manager.create(createTask('web'))).start();
    const lines = await taskLines(metrics);
    expect(lines.filter((line) => line.includes('device="999:1"'))).toEqual([]);
    expect(lines.filter((line) => line.includes('device="999:0"'))).not.toEqual([]);
    expect(lines.filter((line) => line.includes('interface='))).toEqual([]);
    expect((await metrics.expose('text')).toString()).toMatch(
      /^runlet_dropped_label_values_total\{label="device"\} 2$/m,
    );
  });

  it('keep info, state and last exit after the end, and nothing of its cgroup', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    const task = await node.manager.create(createTask('web'));
    await task.start();
    node.runtime.end(task.ref, { status: 7 });
    const names = new Set((await taskLines(metrics)).map((line) => line.slice(0, line.indexOf('{'))));
    expect([...names].toSorted()).toEqual([
      'runlet_task_info',
      'runlet_task_last_exit_status',
      'runlet_task_restarts_total',
      'runlet_task_start_time_seconds',
      'runlet_task_state',
    ]);
    expect(await taskLines(metrics)).toContain('runlet_task_last_exit_status{namespace="default",task="web"} 7');
    await node.manager.delete(task.ref);
    expect(await taskLines(metrics)).toEqual([]);
  });

  it('remember the last exit while it runs again', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    const first = await node.manager.create(createTask('web'));
    await first.start();
    node.runtime.end(first.ref, { status: 7 });
    await node.manager.delete(first.ref);
    await (await node.manager.create(createTask('web'))).start();
    expect(await taskLines(metrics)).toContain('runlet_task_last_exit_status{namespace="default",task="web"} 7');
  });

  it('of one that cannot be read do not keep the others from being read', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    for (const id of ['a', 'b']) await (await node.manager.create(createTask(id))).start();
    node.runtime.failStats(taskRef('a'), new Error('not a count'));
    const lines = await taskLines(metrics);
    expect(lines.filter((line) => line.startsWith('runlet_task_pids{'))).toEqual([
      'runlet_task_pids{namespace="default",task="b"} 1',
    ]);
    expect(lines).toContain('runlet_task_state{namespace="default",task="a",state="running"} 1');
    expect((await metrics.expose('text')).toString()).toMatch(/^runlet_collector_errors_total [1-9]/m);
  });
});

describe('scrapes that overlap', () => {
  it('share one reading', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    await (await node.manager.create(createTask('web'))).start();
    const before = node.runtime.readings;
    const [text, open] = await Promise.all([metrics.expose('text'), metrics.expose('openmetrics')]);
    expect(node.runtime.readings - before).toBe(1);
    expect(open.toString().endsWith('# EOF\n')).toBe(true);
    expect(text.toString()).not.toContain('# EOF');
    await metrics.expose('text');
    expect(node.runtime.readings - before).toBe(2);
  });
});

describe('finished tasks', () => {
  it('are counted with what they used, by how they ended, without their execs', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    const task = await node.manager.create(createTask('web'));
    await task.start();
    const exec = await task.exec(execId('e1'), { process: { args: ['x'], cwd: '/' }, io: noIo });
    await exec.start();
    node.runtime.end(exec.ref, { status: 0 });
    node.runtime.end(task.ref, {
      status: 137,
      reason: 'OOMKilled',
      final: { cpuUsageUsec: 2_500_000n, oomKills: 3n },
    });
    await (await node.manager.create(createTask('short', { spec: specOf(['exit', '0']) }))).start();
    expect(await finishedLines(metrics)).toEqual([
      'runlet_finished_tasks_total{reason="OOMKilled"} 1',
      'runlet_finished_tasks_total{reason="Exited"} 1',
      'runlet_finished_cpu_seconds_total 2.5',
      'runlet_finished_oom_kills_total 3',
    ]);
  });
});

describe('operations', () => {
  it('are measured by verb, and failures counted by reason', async () => {
    const node = await recoveredNode();
    using metrics = await metricsOf(node);
    const task = await node.manager.create(createTask('web'));
    await task.start();
    await expect(task.start()).rejects.toThrow('cannot start a running process');
    await task.kill(9);
    const text = (await metrics.expose('text')).toString();
    expect(text).toMatch(/^runlet_operation_duration_seconds_count\{operation="create"\} 1$/m);
    expect(text).toMatch(/^runlet_operation_duration_seconds_count\{operation="start"\} 2$/m);
    expect(text).toMatch(/^runlet_operation_duration_seconds_count\{operation="kill"\} 1$/m);
    expect(text).toMatch(/^runlet_operation_errors_total\{operation="start",reason="failed-precondition"\} 1$/m);
    expect(text).not.toMatch(/runlet_operation_errors_total\{operation="kill"/);
  });

  it('leave no listener behind', async () => {
    const node = await recoveredNode();
    const metrics = await metricsOf(node);
    metrics[Symbol.dispose]();
    await (await node.manager.create(createTask('web'))).start();
    expect((await metrics.expose('text')).toString()).not.toContain('operation="create"');
  });
});
