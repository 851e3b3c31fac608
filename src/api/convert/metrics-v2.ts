import type { CpuStats, DeviceIo, HugetlbStats, MemoryStats, TaskStats } from '#cgroup/stats.ts';
import type { DeepPartial, Metrics } from '../gen/io/containerd/cgroups/v2/metrics.ts';
import { deviceNumbers, inactiveFile, limitOr, statLine, toNetworkStat } from './metric-parts.ts';

/** What v2's readers take for no limit. */
const unlimited = 2n ** 64n - 1n;

/** A reading as containerd's message for cgroup v2; what the kernel does not have stays 0, as in containerd. */
export function toMetricsV2({ cpu, memory, pids, io, hugetlb = [], network = [] }: TaskStats): DeepPartial<Metrics> {
  return {
    ...(pids ? { pids: { current: pids.current, limit: limitOr(pids.limit, unlimited) } } : {}),
    ...(cpu ? { cpu: toCpu(cpu) } : {}),
    ...(memory ? { memory: toMemory(memory), memoryEvents: toEvents(memory) } : {}),
    ...(io ? { io: { usage: io.devices.map(toEntry) } } : {}),
    hugetlb: hugetlb.map(toHugetlb),
    network: network.map(toNetworkStat),
  };
}

function toCpu(cpu: CpuStats): DeepPartial<NonNullable<Metrics['cpu']>> {
  return {
    usageUsec: cpu.usageUsec,
    userUsec: cpu.userUsec ?? 0n,
    systemUsec: cpu.systemUsec ?? 0n,
    nrPeriods: cpu.periods ?? 0n,
    nrThrottled: cpu.throttledPeriods ?? 0n,
    throttledUsec: cpu.throttledUsec ?? 0n,
  };
}

function toMemory(memory: MemoryStats): DeepPartial<NonNullable<Metrics['memory']>> {
  const { anon = 0n, file = 0n, shmem = 0n, slab = 0n, sock = 0n, mapped = 0n } = memory.kinds ?? {};
  const { minor = 0n, major = 0n } = memory.faults ?? {};
  return {
    ...{ anon, file, shmem, slab, sock, fileMapped: mapped, pgfault: minor, pgmajfault: major },
    inactiveFile: statLine(memory, 'inactive_file') ?? inactiveFile(memory),
    usage: memory.usageBytes,
    usageLimit: limitOr(memory.limitBytes, unlimited),
    swapUsage: memory.swapBytes ?? 0n,
    swapLimit: limitOr(memory.swapLimitBytes, unlimited),
    maxUsage: memory.peakBytes ?? 0n,
  };
}

function toEvents({ events = {}, oomKills }: MemoryStats): DeepPartial<NonNullable<Metrics['memoryEvents']>> {
  const { low = 0n, high = 0n, max = 0n, oom = 0n, oom_kill: oomKill = oomKills ?? 0n } = events;
  return { low, high, max, oom, oomKill, oomGroupKill: events['oom_group_kill'] ?? 0n };
}

function toEntry({ device, bytes, operations }: DeviceIo) {
  return {
    ...deviceNumbers(device),
    ...{ rbytes: bytes.read ?? 0n, wbytes: bytes.write ?? 0n },
    ...{ rios: operations.read ?? 0n, wios: operations.write ?? 0n },
  };
}

function toHugetlb({ pageSize, usageBytes, limitBytes }: HugetlbStats) {
  return { pagesize: pageSize, current: usageBytes, max: limitOr(limitBytes, unlimited) };
}
