import { describe, expect, it } from 'vitest';
import { planLimits, sharesToWeight, type Limits } from './limits.ts';

const everything: Limits = {
  memory: { limit: 100, reservation: 50, swap: 300, swappiness: 10, kernelTCP: 7 },
  cpu: {
    shares: 512,
    quota: 5000,
    burst: 10,
    period: 10_000,
    realtimeRuntime: 1,
    realtimePeriod: 2,
    cpus: '0',
    mems: '0',
    idle: 1,
  },
  pids: { limit: 9 },
  blockIO: {
    weight: 500,
    weightDevice: [{ major: 8, minor: 0, weight: 300 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }],
    throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 2000 }],
    throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 3 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
  unified: { 'memory.high': '90' },
};
const texts = (limits: Limits, version: 1 | 2) =>
  planLimits(limits, version).map(({ controller, files, text }) => `${controller} ${files.join('|')} = ${text}`.trim());

describe('planLimits', () => {
  it('writes every limit into its file of v1', () => {
    expect(texts(everything, 1)).toMatchInlineSnapshot(`
      [
        "memory memory.limit_in_bytes = 100",
        "memory memory.memsw.limit_in_bytes = 300",
        "memory memory.soft_limit_in_bytes = 50",
        "memory memory.swappiness = 10",
        "memory memory.kmem.tcp.limit_in_bytes = 7",
        "cpu cpu.shares = 512",
        "cpu cpu.cfs_period_us = 10000",
        "cpu cpu.cfs_quota_us = 5000",
        "cpu cpu.cfs_burst_us = 10",
        "cpu cpu.idle = 1",
        "cpu cpu.rt_period_us = 2",
        "cpu cpu.rt_runtime_us = 1",
        "cpuset cpuset.cpus = 0",
        "cpuset cpuset.mems = 0",
        "pids pids.max = 9",
        "blkio blkio.bfq.weight|blkio.weight = 500",
        "blkio blkio.bfq.weight_device|blkio.weight_device = 8:0 300",
        "blkio blkio.throttle.read_bps_device = 8:0 1000",
        "blkio blkio.throttle.write_bps_device = 8:0 2000",
        "blkio blkio.throttle.read_iops_device = 8:0 3",
        "blkio blkio.throttle.write_iops_device = 8:16 0",
        "hugetlb hugetlb.2MB.limit_in_bytes = 4194304",
        "unified  = 90",
      ]
    `);
  });

  it('writes every limit into its file of v2', () => {
    expect(texts(everything, 2)).toMatchInlineSnapshot(`
      [
        "memory.swap.max = 200",
        "memory.max = 100",
        "memory.low = 50",
        "cpu.weight = 20",
        "cpu.max = 5000 10000",
        "cpu.max.burst = 10",
        "cpu.idle = 1",
        "cpuset.cpus = 0",
        "cpuset.mems = 0",
        "pids.max = 9",
        "io.bfq.weight|io.weight = 500",
        "io.max = 8:0 rbps=1000",
        "io.max = 8:0 wbps=2000",
        "io.max = 8:0 riops=3",
        "io.max = 8:16 wiops=max",
        "hugetlb.2MB.max = 4194304",
        "memory.high = 90",
      ]
    `);
  });

  it('writes nothing for what is not said', () => {
    expect(planLimits({}, 1)).toEqual([]);
    expect(planLimits({ cpu: { cpus: '' }, memory: {}, blockIO: { weight: 0 } }, 2)).toEqual([]);
  });

  it('takes limits away', () => {
    const none: Limits = { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } };
    expect(texts(none, 1)).toEqual([
      'memory memory.limit_in_bytes = -1',
      'memory memory.memsw.limit_in_bytes = -1',
      'cpu cpu.cfs_quota_us = -1',
      'pids pids.max = max',
    ]);
    expect(texts(none, 2)).toEqual(['memory.swap.max = max', 'memory.max = max', 'cpu.max = max', 'pids.max = max']);
  });
});

describe('sharesToWeight', () => {
  it('maps the ends to the ends and the usual to the usual', () => {
    expect([0, 2, 1024, 262_144, 999_999].map(sharesToWeight)).toEqual([1, 1, 39, 10_000, 10_000]);
  });
});
