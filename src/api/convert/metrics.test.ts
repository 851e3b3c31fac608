import { describe, expect, it } from 'vitest';
import type { TaskStats } from '#cgroup/stats.ts';
import { Metrics as MetricsV1 } from '../gen/io/containerd/cgroups/v1/metrics.ts';
import { Metrics as MetricsV2 } from '../gen/io/containerd/cgroups/v2/metrics.ts';
import { toMetric } from './metrics.ts';

const stats: Omit<TaskStats, 'version'> = {
  cpu: {
    ...{ usageUsec: 2n ** 53n, userUsec: 5n, systemUsec: 6n, perCpuUsec: [3n, 8n] },
    ...{ periods: 7n, throttledPeriods: 1n, throttledUsec: 9n },
  },
  memory: {
    ...{ usageBytes: 1000n, workingSetBytes: 900n, peakBytes: 1200n, limitBytes: 'unlimited', swapBytes: 50n },
    ...{ oomKills: 2n, kinds: { anon: 600n, file: 300n, sock: 8n } },
  },
  pids: { current: 3n, limit: 'unlimited' },
  io: { devices: [{ device: '8:16', bytes: { read: 10n, write: 20n }, operations: { read: 1n, write: 2n } }] },
};

describe('a reading for containerd’s clients', () => {
  it('is the message of cgroup v1 with nanoseconds and its word for no limit', () => {
    const metric = toMetric('web', { version: 1, ...stats }, 1500);
    expect(metric).toMatchObject({ id: 'web', timestamp: { seconds: 1n, nanos: 500_000_000 } });
    expect(metric?.data?.typeUrl).toBe('io.containerd.cgroups.v1.Metrics');
    expect(MetricsV1.decode(metric!.data!.value)).toMatchObject({
      cpu: {
        usage: { total: 2n ** 53n * 1000n, user: 5000n, kernel: 6000n, perCpu: [3000n, 8000n] },
        throttling: { throttledTime: 9000n },
      },
      memory: {
        ...{ rss: 600n, cache: 300n, totalInactiveFile: 100n },
        usage: { usage: 1000n, max: 1200n, limit: 9_223_372_036_854_771_712n },
        swap: { usage: 1050n },
      },
      memoryOomControl: { oomKill: 2n },
      pids: { current: 3n, limit: 0n },
      blkio: {
        ioServicedRecursive: [
          { op: 'Read', major: 8n, minor: 16n, value: 1n },
          { op: 'Write', value: 2n },
        ],
      },
    });
  });

  it('is the message of cgroup v2 with microseconds and its word for no limit', () => {
    const metric = toMetric('web', { version: 2, ...stats }, 0);
    expect(metric?.data?.typeUrl).toBe('io.containerd.cgroups.v2.Metrics');
    expect(MetricsV2.decode(metric!.data!.value)).toMatchObject({
      cpu: { usageUsec: 2n ** 53n, nrThrottled: 1n, throttledUsec: 9n },
      memory: { anon: 600n, file: 300n, inactiveFile: 100n, usageLimit: 2n ** 64n - 1n, swapUsage: 50n },
      memoryEvents: { oomKill: 2n },
      pids: { limit: 2n ** 64n - 1n },
      io: { usage: [{ major: 8n, minor: 16n, rbytes: 10n, wios: 2n }] },
    });
  });

  it('always has the parts that ctr’s table takes for granted', () => {
    const cpu = { usageUsec: 1n };
    const metric = toMetric('web', { version: 1, cpu, memory: { usageBytes: 1n } }, 0);
    expect(MetricsV1.decode(metric!.data!.value)).toMatchObject({
      cpu: { usage: { total: 1000n }, throttling: { periods: 0n } },
      memory: { usage: { usage: 1n } },
    });
  });

  it('is nothing where there is no cgroup any more', () => {
    expect(toMetric('web', undefined, 0)).toBeUndefined();
  });
});
