import { blkioStats, parseBlkio } from './io.ts';
import { map, whereKnown } from './optional.ts';
import { parseCount, parseFlatKeyed, parseLimit, parseV1MemoryLimit, parseV1Quota } from './parse.ts';
import { pressureStats } from './pressure.ts';
import type { ReadFile } from './reader.ts';
import type {
  CpuStats,
  GroupStats,
  HugetlbStats,
  IoStats,
  MemoryStats,
  PidsStats,
  StatsDetail,
  TaskStats,
} from './stats.ts';

/** The files that are read, by controller, and the least detail that wants them. Kernel: admin-guide/cgroup-v1. */
export const v1Files: readonly (readonly [file: string, least: StatsDetail])[] = [
  ['cpuacct/cpuacct.usage', 'basic'],
  ['cpuacct/cpuacct.usage_user', 'basic'],
  ['cpuacct/cpuacct.usage_sys', 'basic'],
  ['cpu/cpu.stat', 'basic'],
  ['cpu/cpu.cfs_quota_us', 'basic'],
  ['cpu/cpu.cfs_period_us', 'basic'],
  ['cpu/cpu.shares', 'full'],
  ['memory/memory.usage_in_bytes', 'basic'],
  ['memory/memory.max_usage_in_bytes', 'basic'],
  ['memory/memory.limit_in_bytes', 'basic'],
  ['memory/memory.stat', 'basic'],
  ['memory/memory.oom_control', 'basic'],
  ['memory/memory.memsw.usage_in_bytes', 'basic'],
  ['memory/memory.kmem.usage_in_bytes', 'standard'],
  ['memory/memory.kmem.tcp.usage_in_bytes', 'standard'],
  ['memory/memory.failcnt', 'full'],
  ['memory/memory.memsw.limit_in_bytes', 'full'],
  ['memory/memory.soft_limit_in_bytes', 'full'],
  ['pids/pids.current', 'basic'],
  ['pids/pids.max', 'basic'],
  ['pids/pids.events', 'full'],
  ['blkio/blkio.throttle.io_service_bytes_recursive', 'standard'],
  ['blkio/blkio.throttle.io_service_bytes', 'standard'],
  ['blkio/blkio.throttle.io_serviced_recursive', 'standard'],
  ['blkio/blkio.throttle.io_serviced', 'standard'],
  ['blkio/blkio.bfq.io_service_bytes_recursive', 'standard'],
  ['blkio/blkio.bfq.io_service_bytes', 'standard'],
  ['blkio/blkio.bfq.io_serviced_recursive', 'standard'],
  ['blkio/blkio.bfq.io_serviced', 'standard'],
  ['blkio/blkio.io_service_bytes_recursive', 'standard'],
  ['blkio/blkio.io_service_bytes', 'standard'],
  ['blkio/blkio.io_serviced_recursive', 'standard'],
  ['blkio/blkio.io_serviced', 'standard'],
  ['freezer/freezer.state', 'full'],
  // A hybrid machine has a v2 tree without controllers beside v1's: pressure is counted there.
  ['unified/cpu.pressure', 'standard'],
  ['unified/memory.pressure', 'standard'],
  ['unified/io.pressure', 'standard'],
  ['unified/irq.pressure', 'standard'],
];

/** The same for huge pages of one size. */
export function v1HugetlbFiles(pageSize: string): typeof v1Files {
  return [
    [`hugetlb/hugetlb.${pageSize}.usage_in_bytes`, 'standard'],
    [`hugetlb/hugetlb.${pageSize}.limit_in_bytes`, 'full'],
    [`hugetlb/hugetlb.${pageSize}.failcnt`, 'full'],
  ];
}

const nanosecondsAMicrosecond = 1000n;

/** Makes one reading of v1's files; undefined when none of the usual ones is there any more. Throws MalformedError. */
export function v1Stats(read: ReadFile, detail: StatsDetail, pageSizes: readonly string[]): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read, detail);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return whereKnown<TaskStats>({
    version: 1,
    cpu,
    memory,
    pids,
    io: ioStats(read),
    hugetlb: hugetlbStats(read, pageSizes),
    pressure: pressureStats((file) => read(`unified/${file}`)),
    group: groupStats(read),
  });
}

function cpuStats(read: ReadFile): CpuStats | undefined {
  const usageUsec = usec(read('cpuacct/cpuacct.usage'));
  if (usageUsec === undefined) return undefined;
  const stat = map(read('cpu/cpu.stat'), parseFlatKeyed);
  return whereKnown<CpuStats>({
    usageUsec,
    userUsec: usec(read('cpuacct/cpuacct.usage_user')),
    systemUsec: usec(read('cpuacct/cpuacct.usage_sys')),
    periods: stat?.get('nr_periods'),
    throttledPeriods: stat?.get('nr_throttled'),
    throttledUsec: map(stat?.get('throttled_time'), toUsec),
    quotaUsec: map(read('cpu/cpu.cfs_quota_us'), parseV1Quota),
    periodUsec: map(read('cpu/cpu.cfs_period_us'), parseCount),
    burstPeriods: stat?.get('nr_bursts'),
    burstUsec: map(stat?.get('burst_time'), toUsec),
    shares: map(read('cpu/cpu.shares'), parseCount),
  });
}

/** What is wanted of `memory.stat`, which has some 40 lines; `total_` counts the groups below as well. */
const wantedStat: ReadonlySet<string> = new Set(
  ['inactive_file', 'swap', 'rss', 'cache', 'shmem', 'mapped_file', 'pgfault', 'pgmajfault'].map(
    (name) => `total_${name}`,
  ),
);

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read('memory/memory.usage_in_bytes'), parseCount);
  if (usageBytes === undefined) return undefined;
  const full = detail === 'full';
  const stat = map(read('memory/memory.stat'), (text) => parseFlatKeyed(text, full ? undefined : wantedStat));
  return whereKnown<MemoryStats>({
    usageBytes,
    workingSetBytes: stat ? atLeastZero(usageBytes - (stat.get('total_inactive_file') ?? 0n)) : undefined,
    peakBytes: map(read('memory/memory.max_usage_in_bytes'), parseCount),
    limitBytes: map(read('memory/memory.limit_in_bytes'), parseV1MemoryLimit),
    swapBytes: stat?.get('total_swap') ?? swapBytes(read, usageBytes),
    oomKills: map(read('memory/memory.oom_control'), parseFlatKeyed)?.get('oom_kill'),
    ...(detail === 'basic' ? {} : memoryKinds(read, stat)),
    ...(full ? allOfMemory(read, stat) : {}),
  });
}

/** A kernel that does not count swap in `memory.stat` may have it in the file of both together. */
function swapBytes(read: ReadFile, usageBytes: bigint): bigint | undefined {
  return map(map(read('memory/memory.memsw.usage_in_bytes'), parseCount), (both) => atLeastZero(both - usageBytes));
}

type Stat = ReadonlyMap<string, bigint> | undefined;

function memoryKinds(read: ReadFile, stat: Stat): { [K in 'kinds' | 'faults']: MemoryStats[K] | undefined } {
  return {
    kinds: whereKnown({
      anon: stat?.get('total_rss'),
      file: stat?.get('total_cache'),
      shmem: stat?.get('total_shmem'),
      kernel: map(read('memory/memory.kmem.usage_in_bytes'), parseCount),
      sock: map(read('memory/memory.kmem.tcp.usage_in_bytes'), parseCount),
      mapped: stat?.get('total_mapped_file'),
    }),
    faults: whereKnown({ minor: stat?.get('total_pgfault'), major: stat?.get('total_pgmajfault') }),
  };
}

function allOfMemory(
  read: ReadFile,
  stat: Stat,
): { [K in 'limitHits' | 'swapLimitBytes' | 'lowBytes' | 'stat']: MemoryStats[K] | undefined } {
  const totals = [...(stat ?? [])].filter(([name]) => name.startsWith('total_'));
  return {
    limitHits: map(read('memory/memory.failcnt'), parseCount),
    swapLimitBytes: map(read('memory/memory.memsw.limit_in_bytes'), parseV1MemoryLimit),
    lowBytes: map(read('memory/memory.soft_limit_in_bytes'), parseV1MemoryLimit),
    stat: stat ? Object.fromEntries(totals.map(([name, value]) => [name.slice('total_'.length), value])) : undefined,
  };
}

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids/pids.current'), parseCount);
  if (current === undefined) return undefined;
  return whereKnown<PidsStats>({
    current,
    limit: map(read('pids/pids.max'), parseLimit),
    limitHits: map(read('pids/pids.events'), parseFlatKeyed)?.get('max'),
  });
}

/**
 * Who counts depends on kernel and scheduler: the throttling layer (which newer kernels let count only where a rule is set),
 * BFQ, or CFQ before 5.0. The first that knows a device is taken; without any, the first that is there.
 */
function ioStats(read: ReadFile): IoStats | undefined {
  return blkioStats(counted(read, 'io_service_bytes'), counted(read, 'io_serviced'));
}

function counted(read: ReadFile, what: string): string | undefined {
  let first: string | undefined;
  for (const policy of ['throttle.', 'bfq.', '']) {
    const name = `blkio/blkio.${policy}${what}`;
    const text = read(`${name}_recursive`) ?? read(name);
    if (text !== undefined && parseBlkio(text).size > 0) return text;
    first ??= text;
  }
  return first;
}

function hugetlbStats(read: ReadFile, pageSizes: readonly string[]): readonly HugetlbStats[] | undefined {
  const found = pageSizes.flatMap((pageSize) => {
    const file = `hugetlb/hugetlb.${pageSize}`;
    const usageBytes = map(read(`${file}.usage_in_bytes`), parseCount);
    if (usageBytes === undefined) return [];
    const stats = whereKnown<HugetlbStats>({
      pageSize,
      usageBytes,
      limitBytes: map(read(`${file}.limit_in_bytes`), parseV1MemoryLimit),
      limitHits: map(read(`${file}.failcnt`), parseCount),
    });
    return stats ? [stats] : [];
  });
  return found.length > 0 ? found : undefined;
}

function groupStats(read: ReadFile): GroupStats | undefined {
  const state = read('freezer/freezer.state')?.trim();
  return state === undefined ? undefined : { frozen: state === 'FROZEN' };
}

function usec(text: string | undefined): bigint | undefined {
  return text === undefined ? undefined : toUsec(parseCount(text));
}

function toUsec(nanoseconds: bigint): bigint {
  return nanoseconds / nanosecondsAMicrosecond;
}

function atLeastZero(value: bigint): bigint {
  return value > 0n ? value : 0n;
}
