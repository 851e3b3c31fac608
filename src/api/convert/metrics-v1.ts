import type { CpuStats, DeviceIo, HugetlbStats, MemoryStats, TaskStats } from '#cgroup/stats.ts';
import type { DeepPartial, Metrics } from '../gen/io/containerd/cgroups/v1/metrics.ts';
import { deviceNumbers, inactiveFile, limitOr, toNetworkStat } from './metric-parts.ts';

const nanosecondsAMicrosecond = 1000n;

/** What v1 has for a memory limit that is none. */
const unlimited = 2n ** 63n - 4096n;

/** A reading as containerd's message for cgroup v1; what the kernel does not have stays 0, as in containerd. */
export function toMetricsV1({ cpu, memory, pids, io, hugetlb = [], network = [] }: TaskStats): DeepPartial<Metrics> {
  return {
    ...(pids ? { pids: { current: pids.current, limit: limitOr(pids.limit, 0n) } } : {}),
    ...(cpu ? { cpu: toCpu(cpu) } : {}),
    ...(memory ? { memory: toMemory(memory), memoryOomControl: { oomKill: memory.oomKills ?? 0n } } : {}),
    ...(io ? { blkio: toBlkio(io.devices) } : {}),
    hugetlb: hugetlb.map(toHugetlb),
    network: network.map(toNetworkStat),
  };
}

function toCpu(cpu: CpuStats): DeepPartial<NonNullable<Metrics['cpu']>> {
  return {
    usage: {
      total: nanoseconds(cpu.usageUsec),
      kernel: nanoseconds(cpu.systemUsec),
      user: nanoseconds(cpu.userUsec),
      perCpu: cpu.perCpuUsec?.map(nanoseconds) ?? [],
    },
    throttling: {
      periods: cpu.periods ?? 0n,
      throttledPeriods: cpu.throttledPeriods ?? 0n,
      throttledTime: nanoseconds(cpu.throttledUsec),
    },
  };
}

/** The lines of a reading count the groups below as well, so a task's own and total numbers are the same. */
function toMemory(memory: MemoryStats): DeepPartial<NonNullable<Metrics['memory']>> {
  const { anon = 0n, file = 0n, mapped = 0n, kernel = 0n, sock = 0n } = memory.kinds ?? {};
  const { minor = 0n, major = 0n } = memory.faults ?? {};
  const inactive = inactiveFile(memory);
  const limit = limitOr(memory.limitBytes, unlimited);
  return {
    ...{
      cache: file,
      rss: anon,
      mappedFile: mapped,
      pgFault: minor,
      pgMajFault: major,
      inactiveFile: inactive,
    },
    ...{ totalCache: file, totalRss: anon, totalMappedFile: mapped, totalInactiveFile: inactive },
    ...{ totalPgFault: minor, totalPgMajFault: major, hierarchicalMemoryLimit: limit },
    usage: { limit, usage: memory.usageBytes, max: memory.peakBytes ?? 0n, failcnt: memory.limitHits ?? 0n },
    ...(memory.swapBytes === undefined
      ? {}
      : {
          // memsw counts memory and swap together.
          swap: { usage: memory.usageBytes + memory.swapBytes, limit: limitOr(memory.swapLimitBytes, unlimited) },
        }),
    kernel: { usage: kernel, limit: unlimited },
    kernelTcp: { usage: sock, limit: unlimited },
  };
}

const operations = { read: 'Read', write: 'Write', discard: 'Discard' } as const;

function toBlkio(devices: readonly DeviceIo[]): DeepPartial<NonNullable<Metrics['blkio']>> {
  return {
    ioServiceBytesRecursive: toEntries(devices, 'bytes'),
    ioServicedRecursive: toEntries(devices, 'operations'),
  };
}

function toEntries(devices: readonly DeviceIo[], counter: 'bytes' | 'operations') {
  return devices.flatMap((each) =>
    Object.entries(operations).flatMap(([name, op]) => {
      const value = each[counter][name as keyof typeof operations];
      return value === undefined ? [] : [{ op, device: '', ...deviceNumbers(each.device), value }];
    }),
  );
}

function toHugetlb({ pageSize, usageBytes, limitHits }: HugetlbStats) {
  return { pagesize: pageSize, usage: usageBytes, failcnt: limitHits ?? 0n };
}

function nanoseconds(usec: bigint | undefined): bigint {
  return (usec ?? 0n) * nanosecondsAMicrosecond;
}
