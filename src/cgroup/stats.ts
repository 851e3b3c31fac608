/**
 * One reading of a task's cgroup, the same shape for cgroup v1 and v2. What the kernel does not have is absent, never
 * zero; `unlimited` is the absence of a limit. Times are microseconds, sizes bytes; counts are exact past 2^53.
 */
export interface TaskStats {
  readonly version: 1 | 2;
  readonly cpu?: CpuStats;
  readonly memory?: MemoryStats;
  readonly pids?: PidsStats;
}

export type Limit = bigint | 'unlimited';

export interface CpuStats {
  readonly usageUsec: bigint;
  readonly userUsec?: bigint;
  readonly systemUsec?: bigint;
  readonly periods?: bigint;
  readonly throttledPeriods?: bigint;
  readonly throttledUsec?: bigint;
  /** Share of a core that the quota allows, in microseconds a period. */
  readonly quotaUsec?: Limit;
  readonly periodUsec?: bigint;
}

export interface MemoryStats {
  readonly usageBytes: bigint;
  /** Usage without the inactive part of the page cache: what kubelet calls the working set. */
  readonly workingSetBytes?: bigint;
  readonly peakBytes?: bigint;
  readonly limitBytes?: Limit;
  readonly swapBytes?: bigint;
  /** How often the kernel killed a process of the group for want of memory. */
  readonly oomKills?: bigint;
}

export interface PidsStats {
  readonly current: bigint;
  readonly limit?: Limit;
}
