/**
 * One reading of a task's cgroup, the same shape for cgroup v1 and v2. What the kernel does not have is absent, never
 * zero; `unlimited` is the absence of a limit. Times are microseconds, sizes bytes; counts are exact past 2^53.
 */
export interface TaskStats {
  readonly version: 1 | 2;
  readonly cpu?: CpuStats | undefined;
  readonly memory?: MemoryStats | undefined;
  readonly pids?: PidsStats | undefined;
  readonly io?: IoStats | undefined;
  /** By page size as the kernel writes it, such as `2MB`. */
  readonly hugetlb?: readonly HugetlbStats[] | undefined;
  readonly pressure?: Readonly<Partial<Record<PressureResource, PressureStats | undefined>>> | undefined;
  /** Interfaces of the task's own network namespace; absent where it shares another's. */
  readonly network?: readonly InterfaceStats[] | undefined;
  readonly group?: GroupStats | undefined;
}

/**
 * How much of it is read: what `basic` metrics need, what the usual ones need, what a `message` for containerd's clients has
 * beyond them, or all that the kernel has.
 */
export type StatsDetail = 'basic' | 'standard' | 'message' | 'full';

const ranks = { basic: 0, standard: 1, message: 2, full: 3 } as const satisfies Record<StatsDetail, number>;

/** A higher detail holds all that a lower one does. */
export function detailRank(detail: StatsDetail): number {
  return ranks[detail];
}

/** Whether a reading of this detail holds what belongs to `least`. */
export function includesDetail(detail: StatsDetail, least: StatsDetail): boolean {
  return ranks[detail] >= ranks[least];
}

export type Limit = bigint | 'unlimited';

export interface CpuStats {
  readonly usageUsec: bigint;
  readonly userUsec?: bigint | undefined;
  readonly systemUsec?: bigint | undefined;
  /** v1's usage of each CPU of the machine. */
  readonly perCpuUsec?: readonly bigint[] | undefined;
  readonly periods?: bigint | undefined;
  readonly throttledPeriods?: bigint | undefined;
  readonly throttledUsec?: bigint | undefined;
  /** Share of a core that the quota allows, in microseconds a period. */
  readonly quotaUsec?: Limit | undefined;
  readonly periodUsec?: bigint | undefined;
  readonly burstPeriods?: bigint | undefined;
  readonly burstUsec?: bigint | undefined;
  /** Time that siblings of a core were kept idle for the group's sake (core scheduling). */
  readonly forceIdleUsec?: bigint | undefined;
  /** v2's weight, 1–10000. */
  readonly weight?: bigint | undefined;
  /** v1's shares, 2–262144. */
  readonly shares?: bigint | undefined;
}

export interface MemoryStats {
  readonly usageBytes: bigint;
  /** Usage without the inactive part of the page cache: what kubelet calls the working set. */
  readonly workingSetBytes?: bigint | undefined;
  readonly peakBytes?: bigint | undefined;
  readonly limitBytes?: Limit | undefined;
  readonly swapBytes?: bigint | undefined;
  /** How often the kernel killed a process of the group for want of memory. */
  readonly oomKills?: bigint | undefined;
  readonly kinds?: MemoryKinds | undefined;
  readonly faults?: { readonly minor?: bigint | undefined; readonly major?: bigint | undefined } | undefined;
  /** v2's `memory.events`; they count the groups below as well. */
  readonly events?: MemoryEvents | undefined;
  /** v2's `memory.events.local`: this group alone. */
  readonly eventsLocal?: MemoryEvents | undefined;
  /** v1: how often the limit was hit. */
  readonly limitHits?: bigint | undefined;
  readonly swapLimitBytes?: Limit | undefined;
  readonly swapEvents?: Counts<'high' | 'max' | 'fail'> | undefined;
  readonly zswapBytes?: bigint | undefined;
  /** v2's protections and throttle. */
  readonly minBytes?: Limit | undefined;
  readonly lowBytes?: Limit | undefined;
  readonly highBytes?: Limit | undefined;
  /** All of `memory.stat`; on v1 those of its lines that count the groups below (`total_…`), without the prefix. */
  readonly stat?: Readonly<Record<string, bigint>> | undefined;
}

/** What counts by name; a name that the kernel does not have is absent or undefined. */
export type Counts<Name extends string> = Readonly<Partial<Record<Name, bigint | undefined>>>;

/** By the kernel's names. */
export type MemoryEvents = Counts<'low' | 'high' | 'max' | 'oom' | 'oom_kill' | 'oom_group_kill'>;

/** Parts of the usage. They overlap (shmem and mapped are in file) and are not all of it. */
export interface MemoryKinds {
  readonly anon?: bigint | undefined;
  readonly file?: bigint | undefined;
  readonly shmem?: bigint | undefined;
  readonly kernel?: bigint | undefined;
  readonly slab?: bigint | undefined;
  readonly sock?: bigint | undefined;
  readonly mapped?: bigint | undefined;
}

export interface PidsStats {
  readonly current: bigint;
  readonly limit?: Limit | undefined;
  readonly peak?: bigint | undefined;
  /** How often a fork was refused at the limit. */
  readonly limitHits?: bigint | undefined;
}

export interface IoStats {
  readonly devices: readonly DeviceIo[];
}

export type IoOperation = 'read' | 'write' | 'discard';

export interface DeviceIo {
  /** `major:minor`. */
  readonly device: string;
  readonly bytes: Counts<IoOperation>;
  readonly operations: Counts<IoOperation>;
  /** io.cost's counters in microseconds, where its controller is on. */
  readonly costUsec?: Counts<IoCost> | undefined;
}

export type IoCost = 'usage' | 'wait' | 'indebt' | 'indelay';

export interface HugetlbStats {
  readonly pageSize: string;
  readonly usageBytes: bigint;
  readonly limitBytes?: Limit | undefined;
  readonly limitHits?: bigint | undefined;
}

export type PressureResource = 'cpu' | 'memory' | 'io' | 'irq';

/** Pressure stall information: the time in which some, or all at once, waited for the resource. */
export interface PressureStats {
  readonly waitingUsec?: bigint | undefined;
  readonly stalledUsec?: bigint | undefined;
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
  readonly populated?: boolean | undefined;
  readonly frozen?: boolean | undefined;
}
