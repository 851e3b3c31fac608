/**
 * Limits in the words of OCI's `linux.resources`, as far as a cgroup can be given them while it runs. Sizes are bytes, times
 * microseconds; -1 is no limit. Format: opencontainers/runtime-spec 1.0.2, config-linux.md.
 */
export interface Limits {
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    readonly swap?: number;
    readonly swappiness?: number;
    readonly kernelTCP?: number;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly burst?: number;
    readonly period?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
    readonly idle?: number;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight?: number }[];
    readonly throttleReadBpsDevice?: readonly Throttle[];
    readonly throttleWriteBpsDevice?: readonly Throttle[];
    readonly throttleReadIOPSDevice?: readonly Throttle[];
    readonly throttleWriteIOPSDevice?: readonly Throttle[];
  };
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly unified?: Readonly<Record<string, string>>;
}

interface Throttle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** One text for one file of a cgroup. */
export interface LimitWrite {
  /** The field that asks for it, such as `memory.limit`. */
  readonly field: string;
  /** v1's controller; nothing under v2. */
  readonly controller: string;
  /** The first of these files that the kernel has. */
  readonly files: readonly string[];
  readonly text: string;
}

/** What has to be written to bring a cgroup to these limits, in an order that the kernel takes. */
export function planLimits(limits: Limits, version: 1 | 2): readonly LimitWrite[] {
  const plan = version === 1 ? planV1(limits) : planV2(limits);
  return plan.flatMap(([field, controller, files, text]) =>
    text === undefined ? [] : [{ field, controller, files: typeof files === 'string' ? [files] : files, text }],
  );
}

type Row = readonly [field: string, controller: string, files: string | readonly string[], text: string | undefined];

function planV1({ memory, cpu, pids, blockIO, hugepageLimits, unified }: Limits): readonly Row[] {
  return [
    ['memory.limit', 'memory', 'memory.limit_in_bytes', decimal(memory?.limit)],
    ['memory.swap', 'memory', 'memory.memsw.limit_in_bytes', decimal(memory?.swap)],
    ['memory.reservation', 'memory', 'memory.soft_limit_in_bytes', decimal(memory?.reservation)],
    ['memory.swappiness', 'memory', 'memory.swappiness', decimal(memory?.swappiness)],
    ['memory.kernelTCP', 'memory', 'memory.kmem.tcp.limit_in_bytes', decimal(memory?.kernelTCP)],
    ['cpu.shares', 'cpu', 'cpu.shares', decimal(cpu?.shares)],
    ['cpu.period', 'cpu', 'cpu.cfs_period_us', decimal(cpu?.period)],
    ['cpu.quota', 'cpu', 'cpu.cfs_quota_us', decimal(cpu?.quota)],
    ['cpu.burst', 'cpu', 'cpu.cfs_burst_us', decimal(cpu?.burst)],
    ['cpu.idle', 'cpu', 'cpu.idle', decimal(cpu?.idle)],
    ['cpu.realtimePeriod', 'cpu', 'cpu.rt_period_us', decimal(cpu?.realtimePeriod)],
    ['cpu.realtimeRuntime', 'cpu', 'cpu.rt_runtime_us', decimal(cpu?.realtimeRuntime)],
    ['cpu.cpus', 'cpuset', 'cpuset.cpus', cpu?.cpus || undefined],
    ['cpu.mems', 'cpuset', 'cpuset.mems', cpu?.mems || undefined],
    ['pids.limit', 'pids', 'pids.max', max(pids?.limit)],
    ['blockIO.weight', 'blkio', ['blkio.bfq.weight', 'blkio.weight'], decimal(blockIO?.weight || undefined)],
    ...devices(blockIO?.weightDevice, ({ weight }) => weight).map((each): Row => [
      'blockIO.weightDevice',
      'blkio',
      ['blkio.bfq.weight_device', 'blkio.weight_device'],
      each,
    ]),
    ...throttleFiles.flatMap(([field, file]) =>
      devices(blockIO?.[field], ({ rate }) => rate).map((each): Row => [`blockIO.${field}`, 'blkio', file, each]),
    ),
    ...(hugepageLimits ?? []).map(({ pageSize, limit }): Row => [
      'hugepageLimits',
      'hugetlb',
      `hugetlb.${pageSize}.limit_in_bytes`,
      String(limit),
    ]),
    ...Object.entries(unified ?? {}).map(([file, value]): Row => [`unified.${file}`, 'unified', [], value]),
  ];
}

const throttleFiles = [
  ['throttleReadBpsDevice', 'blkio.throttle.read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'blkio.throttle.write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'blkio.throttle.read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'blkio.throttle.write_iops_device', 'wiops'],
] as const;

function planV2({ memory, cpu, pids, blockIO, hugepageLimits, unified }: Limits): readonly Row[] {
  return [
    // Room is made before it is taken away: swap is what lies above memory, and OCI counts both together.
    ['memory.swap', '', 'memory.swap.max', swapMax(memory)],
    ['memory.limit', '', 'memory.max', max(memory?.limit)],
    ['memory.reservation', '', 'memory.low', max(memory?.reservation)],
    ['cpu.shares', '', 'cpu.weight', cpu?.shares ? String(sharesToWeight(cpu.shares)) : undefined],
    ['cpu.quota', '', 'cpu.max', cpuMax(cpu)],
    ['cpu.burst', '', 'cpu.max.burst', decimal(cpu?.burst)],
    ['cpu.idle', '', 'cpu.idle', decimal(cpu?.idle)],
    ['cpu.cpus', '', 'cpuset.cpus', cpu?.cpus || undefined],
    ['cpu.mems', '', 'cpuset.mems', cpu?.mems || undefined],
    ['pids.limit', '', 'pids.max', max(pids?.limit)],
    ['blockIO.weight', '', ['io.bfq.weight', 'io.weight'], decimal(blockIO?.weight || undefined)],
    ...throttleFiles.flatMap(([field, , key]) =>
      (blockIO?.[field] ?? []).map(({ major, minor, rate }): Row => [
        `blockIO.${field}`,
        '',
        'io.max',
        `${major}:${minor} ${key}=${rate === 0 ? 'max' : rate}`,
      ]),
    ),
    ...(hugepageLimits ?? []).map(({ pageSize, limit }): Row => [
      'hugepageLimits',
      '',
      `hugetlb.${pageSize}.max`,
      max(limit),
    ]),
    ...Object.entries(unified ?? {}).map(([file, value]): Row => [`unified.${file}`, '', file, value]),
  ];
}

function decimal(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function max(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value < 0 ? 'max' : String(value);
}

function swapMax(memory: Limits['memory']): string | undefined {
  if (memory?.swap === undefined) return undefined;
  if (memory.swap < 0) return 'max';
  return String(Math.max(0, memory.swap - Math.max(0, memory.limit ?? 0)));
}

function cpuMax(cpu: Limits['cpu']): string | undefined {
  if (cpu?.quota === undefined && cpu?.period === undefined) return undefined;
  const quota = cpu.quota === undefined || cpu.quota <= 0 ? 'max' : String(cpu.quota);
  return cpu.period === undefined ? quota : `${quota} ${cpu.period}`;
}

/** The kernel's own mapping of v1's 2–262144 to v2's 1–10000, as the runtimes and kubelet use it. */
export function sharesToWeight(shares: number): number {
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((bounded - 2) * 9999) / 262_142);
}

function devices<T extends { readonly major: number; readonly minor: number }>(
  list: readonly T[] | undefined,
  value: (device: T) => number | undefined,
): readonly string[] {
  return (list ?? []).map((device) => `${device.major}:${device.minor} ${value(device) ?? 0}`);
}
