import type { InterfaceStats, Limit, TaskStats } from '#cgroup/stats.ts';
import type { Task } from '#task/task.ts';
import type { TaskUsage } from '../gen/runlet/v1/runlet.ts';

/** What a task uses now, for people; undefined once its process has ended. */
export function toUsage(task: Task): TaskUsage | undefined {
  const stats = task.stats();
  return (
    stats && { namespace: task.namespace, id: task.id, ...cpuUsage(stats), ...memoryUsage(stats), ...restUsage(stats) }
  );
}

function cpuUsage({ cpu, pressure }: TaskStats) {
  const quota = limited(cpu?.quotaUsec);
  return {
    cpuUsec: cpu?.usageUsec,
    cpuLimitCores: quota === undefined || !cpu?.periodUsec ? undefined : Number(quota) / Number(cpu.periodUsec),
    cpuPeriods: cpu?.periods,
    throttledPeriods: cpu?.throttledPeriods,
    throttledUsec: cpu?.throttledUsec,
    cpuPressureUsec: pressure?.cpu?.waitingUsec,
  };
}

function memoryUsage({ memory, pressure }: TaskStats) {
  return {
    memoryBytes: memory?.usageBytes,
    memoryWorkingSetBytes: memory?.workingSetBytes,
    memoryLimitBytes: limited(memory?.limitBytes),
    memoryPeakBytes: memory?.peakBytes,
    memorySwapBytes: memory?.swapBytes,
    oomKills: memory?.oomKills,
    memoryPressureUsec: pressure?.memory?.waitingUsec,
  };
}

function restUsage({ pids, io, network, pressure }: TaskStats) {
  const devices = io?.devices;
  return {
    pids: pids?.current,
    pidsLimit: limited(pids?.limit),
    ioReadBytes: devices && sum(devices, ({ bytes }) => bytes.read),
    ioWrittenBytes: devices && sum(devices, ({ bytes }) => bytes.write),
    ioOperations: devices && sum(devices, ({ operations }) => sum(Object.values(operations), (count) => count)),
    ioPressureUsec: pressure?.io?.waitingUsec,
    networkReceivedBytes: network && sum(network.filter(isOutward), ({ receive }) => receive.bytes),
    networkSentBytes: network && sum(network.filter(isOutward), ({ transmit }) => transmit.bytes),
  };
}

function isOutward({ name }: InterfaceStats): boolean {
  return name !== 'lo';
}

function sum<T>(items: readonly T[], count: (item: T) => bigint | undefined): bigint {
  return items.reduce((total, item) => total + (count(item) ?? 0n), 0n);
}

function limited(limit: Limit | undefined): bigint | undefined {
  return limit === 'unlimited' ? undefined : limit;
}
