import type { Limit, TaskStats } from '#cgroup/stats.ts';
import { Metrics as MetricsV1 } from '../gen/io/containerd/cgroups/v1/metrics.ts';
import { Metrics as MetricsV2 } from '../gen/io/containerd/cgroups/v2/metrics.ts';
import type { Metric } from '../gen/containerd/types/types.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { packAny } from './any.ts';
import { toTimestamp } from './timestamp.ts';

const nanosecondsAMicrosecond = 1000n;

/** What v1 has for a memory limit that is none. */
const unlimitedV1 = 2n ** 63n - 4096n;

/** What v2's readers take for no limit. */
const unlimitedV2 = 2n ** 64n - 1n;

/** containerd's metrics of a task; undefined where it has no cgroup any more. */
export function toMetric(id: string, stats: TaskStats | undefined, nowMs: number): Metric | undefined {
  if (!stats) return undefined;
  return { timestamp: toTimestamp(nowMs), id, data: stats.version === 1 ? toV1(stats) : toV2(stats) };
}

function nanoseconds(usec: bigint | undefined): bigint {
  return (usec ?? 0n) * nanosecondsAMicrosecond;
}

function toV1({ cpu, memory, pids }: TaskStats): Any {
  return packAny(
    'io.containerd.cgroups.v1.Metrics',
    MetricsV1,
    MetricsV1.fromPartial({
      ...(pids ? { pids: { current: pids.current, limit: limitOr(pids.limit, 0n) } } : {}),
      ...(cpu
        ? {
            cpu: {
              usage: {
                total: nanoseconds(cpu.usageUsec),
                kernel: nanoseconds(cpu.systemUsec),
                user: nanoseconds(cpu.userUsec),
              },
              throttling: {
                periods: cpu.periods ?? 0n,
                throttledPeriods: cpu.throttledPeriods ?? 0n,
                throttledTime: nanoseconds(cpu.throttledUsec),
              },
            },
          }
        : {}),
      ...(memory
        ? {
            memory: {
              ...inactiveFile(memory, 'totalInactiveFile'),
              usage: {
                limit: limitOr(memory.limitBytes, unlimitedV1),
                usage: memory.usageBytes,
                max: memory.peakBytes ?? 0n,
              },
            },
            memoryOomControl: { oomKill: memory.oomKills ?? 0n },
          }
        : {}),
    }),
  );
}

function toV2({ cpu, memory, pids }: TaskStats): Any {
  return packAny(
    'io.containerd.cgroups.v2.Metrics',
    MetricsV2,
    MetricsV2.fromPartial({
      ...(pids ? { pids: { current: pids.current, limit: limitOr(pids.limit, unlimitedV2) } } : {}),
      ...(cpu
        ? {
            cpu: {
              usageUsec: cpu.usageUsec,
              userUsec: cpu.userUsec ?? 0n,
              systemUsec: cpu.systemUsec ?? 0n,
              nrPeriods: cpu.periods ?? 0n,
              nrThrottled: cpu.throttledPeriods ?? 0n,
              throttledUsec: cpu.throttledUsec ?? 0n,
            },
          }
        : {}),
      ...(memory
        ? {
            memory: {
              ...inactiveFile(memory, 'inactiveFile'),
              usage: memory.usageBytes,
              usageLimit: limitOr(memory.limitBytes, unlimitedV2),
              swapUsage: memory.swapBytes ?? 0n,
              maxUsage: memory.peakBytes ?? 0n,
            },
            memoryEvents: { oomKill: memory.oomKills ?? 0n },
          }
        : {}),
    }),
  );
}

/** What the working set leaves out of the usage. */
function inactiveFile<K extends string>(memory: NonNullable<TaskStats['memory']>, name: K): Partial<Record<K, bigint>> {
  const { usageBytes, workingSetBytes } = memory;
  return workingSetBytes === undefined ? {} : ({ [name]: usageBytes - workingSetBytes } as Record<K, bigint>);
}

function limitOr(limit: Limit | undefined, none: bigint): bigint {
  return limit === undefined || limit === 'unlimited' ? none : limit;
}
