import type { LinuxResources } from '#oci/runtime-spec.ts';
import type { Task } from '#task/task.ts';
import { formatBytes, formatMilliCpu } from '../node-task/quantity.ts';
import type { NodeTaskStatus, Resources } from '../node-task/types.ts';
import { present } from './present.ts';

type TaskStats = NonNullable<ReturnType<Task['stats']>>;
type Limit = bigint | 'unlimited' | undefined;

/** `status.resources`. */
export type AppliedReading = NonNullable<NodeTaskStatus['resources']>;

/** The kernel counts memory in pages and rounds limits down to them. */
const pageBytes = 4096n;
/** What v1 shows for no limit is near 2^63. */
const practicallyUnlimited = 2n ** 62n;

/** The limits that the kernel has, as a NodeTask writes them; what cannot be read back is as it was asked. */
export function readApplied(stats: TaskStats, asked: Resources | null): AppliedReading {
  const cpu = cpuLimit(stats.cpu);
  const memory = finite(stats.memory?.limitBytes);
  const limits = present<Record<string, string>>({
    cpu: cpu === undefined ? undefined : formatMilliCpu(cpu),
    memory: memory === undefined ? undefined : formatBytes(memory),
    pids: finite(stats.pids?.limit)?.toString(),
  });
  const { requests, memoryHigh, memorySwap, cpuset, io } = asked ?? {};
  return present<AppliedReading>({
    limits: Object.keys(limits).length > 0 ? limits : undefined,
    ...{ requests, memoryHigh, memorySwap, cpuset },
    io: io?.weight === undefined ? undefined : { weight: io.weight },
  });
}

/** Whether the kernel has other limits of processor, memory or pids than these. What it does not have does not differ. */
export function limitsDiffer(wanted: LinuxResources, stats: TaskStats): boolean {
  const { cpu, memory, pids } = stats;
  return (
    differs(wanted.cpu?.quota, cpu?.quotaUsec, 1n) ||
    differs(wanted.memory?.limit, memory?.limitBytes, pageBytes) ||
    differs(wanted.pids?.limit, pids?.limit, 1n)
  );
}

function differs(wanted: number | undefined, found: Limit, unit: bigint): boolean {
  if (wanted === undefined || found === undefined) return false;
  const limit = finite(found);
  if (wanted < 0 || limit === undefined) return !(wanted < 0 && limit === undefined);
  return BigInt(wanted) / unit !== limit / unit;
}

function cpuLimit(cpu: TaskStats['cpu']): bigint | undefined {
  const quota = finite(cpu?.quotaUsec);
  const period = cpu?.periodUsec;
  return quota === undefined || !period ? undefined : (quota * 1000n) / period;
}

function finite(limit: Limit): bigint | undefined {
  return limit === undefined || limit === 'unlimited' || limit >= practicallyUnlimited ? undefined : limit;
}
