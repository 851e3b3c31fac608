/**
 * One reading of a task's cgroup, the same shape for cgroup v1 and v2. What the kernel does not have is absent, never
 * zero; `unlimited` is the absence of a limit. Times are microseconds, sizes bytes; counts are exact past 2^53.
 */
export interface TaskStats {
  readonly version: 1 | 2;
  readonly cpu?: CpuStats;
  readonly memory?: MemoryStats;
  readonly pids?: PidsStats;
  readonly io?: IoStats;
  /** By page size as the kernel writes it, such as `2MB`. */
  readonly hugetlb?: readonly HugetlbStats[];
  readonly pressure?: Readonly<Partial<Record<PressureResource, PressureStats>>>;
  /** Interfaces of the task's own network namespace; absent where it shares another's. */
  readonly network?: readonly InterfaceStats[];
  readonly group?: GroupStats;
}

/** How much of it is read: what `basic` metrics need, what the usual ones need, or all that the kernel has. */
export type StatsDetail = 'basic' | 'standard' | 'full';

const details: readonly StatsDetail[] = ['basic', 'standard', 'full'];

/** Whether a reading of this detail holds what belongs to `least`. */
export function includesDetail(detail: StatsDetail, least: StatsDetail): boolean {
  return details.indexOf(detail) >= details.indexOf(least);
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
  readonly burstPeriods?: bigint;
  readonly burstUsec?: bigint;
  /** Time that siblings of a core were kept idle for the group's sake (core scheduling). */
  readonly forceIdleUsec?: bigint;
  /** v2's weight, 1–10000. */
  readonly weight?: bigint;
  /** v1's shares, 2–262144. */
  readonly shares?: bigint;
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
  readonly kinds?: MemoryKinds;
  readonly faults?: { readonly minor?: bigint; readonly major?: bigint };
  /** v2's `memory.events` by the kernel's names; they count the groups below as well. */
  readonly events?: Readonly<Record<string, bigint>>;
  /** v2's `memory.events.local`: this group alone. */
  readonly eventsLocal?: Readonly<Record<string, bigint>>;
  /** v1: how often the limit was hit. */
  readonly limitHits?: bigint;
  readonly swapLimitBytes?: Limit;
  readonly swapEvents?: Readonly<Record<string, bigint>>;
  readonly zswapBytes?: bigint;
  /** v2's protections and throttle. */
  readonly minBytes?: Limit;
  readonly lowBytes?: Limit;
  readonly highBytes?: Limit;
  /** All of `memory.stat`; on v1 those of its lines that count the groups below (`total_…`), without the prefix. */
  readonly stat?: Readonly<Record<string, bigint>>;
}

/** Parts of the usage. They overlap (shmem and mapped are in file) and are not all of it. */
export interface MemoryKinds {
  readonly anon?: bigint;
  readonly file?: bigint;
  readonly shmem?: bigint;
  readonly kernel?: bigint;
  readonly slab?: bigint;
  readonly sock?: bigint;
  readonly mapped?: bigint;
}

export interface PidsStats {
  readonly current: bigint;
  readonly limit?: Limit;
  readonly peak?: bigint;
  /** How often a fork was refused at the limit. */
  readonly limitHits?: bigint;
}

export interface IoStats {
  readonly devices: readonly DeviceIo[];
}

export type IoOperation = 'read' | 'write' | 'discard';

export interface DeviceIo {
  /** `major:minor`. */
  readonly device: string;
  readonly bytes: Readonly<Partial<Record<IoOperation, bigint>>>;
  readonly operations: Readonly<Partial<Record<IoOperation, bigint>>>;
  /** io.cost's counters in microseconds, where its controller is on. */
  readonly costUsec?: Readonly<Partial<Record<IoCost, bigint>>>;
}

export type IoCost = 'usage' | 'wait' | 'indebt' | 'indelay';

export interface HugetlbStats {
  readonly pageSize: string;
  readonly usageBytes: bigint;
  readonly limitBytes?: Limit;
  readonly limitHits?: bigint;
}

export type PressureResource = 'cpu' | 'memory' | 'io' | 'irq';

/** Pressure stall information: the time in which some, or all at once, waited for the resource. */
export interface PressureStats {
  readonly waitingUsec?: bigint;
  readonly stalledUsec?: bigint;
}

export interface InterfaceStats {
  readonly name: string;
  readonly receive: InterfaceCounts;
  readonly transmit: InterfaceCounts;
}

export interface InterfaceCounts {
  readonly bytes: bigint;
  readonly packets: bigint;
  readonly errors: bigint;
  readonly dropped: bigint;
}

export interface GroupStats {
  readonly populated?: boolean;
  readonly frozen?: boolean;
}
