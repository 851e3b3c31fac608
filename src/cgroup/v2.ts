import { parseIoStat } from './io.ts';
import { map, whereKnown } from './optional.ts';
import { parseCount, parseCounts, parseCpuMax, parseFlatKeyed, parseLimit } from './parse.ts';
import { pressureStats } from './pressure.ts';
import type { ReadFile } from './reader.ts';
import type { CpuStats, GroupStats, HugetlbStats, MemoryStats, PidsStats, StatsDetail, TaskStats } from './stats.ts';

/** The files that are read and the least detail that wants them. Kernel: admin-guide/cgroup-v2. */
export const v2Files: readonly (readonly [file: string, least: StatsDetail])[] = [
  ['cpu.stat', 'basic'],
  ['cpu.max', 'basic'],
  ['cpu.weight', 'full'],
  ['memory.current', 'basic'],
  ['memory.peak', 'basic'],
  ['memory.max', 'basic'],
  ['memory.swap.current', 'basic'],
  ['memory.stat', 'basic'],
  ['memory.events', 'basic'],
  ['memory.events.local', 'full'],
  ['memory.min', 'full'],
  ['memory.low', 'full'],
  ['memory.high', 'full'],
  ['memory.swap.max', 'full'],
  ['memory.swap.events', 'full'],
  ['memory.zswap.current', 'full'],
  ['pids.current', 'basic'],
  ['pids.max', 'basic'],
  ['pids.peak', 'full'],
  ['pids.events', 'full'],
  ['io.stat', 'standard'],
  ['cpu.pressure', 'standard'],
  ['memory.pressure', 'standard'],
  ['io.pressure', 'standard'],
  ['irq.pressure', 'standard'],
  ['cgroup.events', 'full'],
];

/** The same for huge pages of one size. */
export function v2HugetlbFiles(pageSize: string): typeof v2Files {
  return [
    [`hugetlb.${pageSize}.current`, 'standard'],
    [`hugetlb.${pageSize}.max`, 'full'],
    [`hugetlb.${pageSize}.events`, 'full'],
  ];
}

/** Makes one reading of v2's files; undefined when none of the usual ones is there any more. Throws MalformedError. */
export function v2Stats(read: ReadFile, detail: StatsDetail, pageSizes: readonly string[]): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read, detail);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return whereKnown<TaskStats>({
    version: 2,
    cpu,
    memory,
    pids,
    io: map(read('io.stat'), parseIoStat),
    hugetlb: hugetlbStats(read, pageSizes),
    pressure: pressureStats(read),
    group: groupStats(read),
  });
}

function cpuStats(read: ReadFile): CpuStats | undefined {
  const stat = map(read('cpu.stat'), parseFlatKeyed);
  const usageUsec = stat?.get('usage_usec');
  if (!stat || usageUsec === undefined) return undefined;
  return whereKnown<CpuStats>({
    usageUsec,
    userUsec: stat.get('user_usec'),
    systemUsec: stat.get('system_usec'),
    periods: stat.get('nr_periods'),
    throttledPeriods: stat.get('nr_throttled'),
    throttledUsec: stat.get('throttled_usec'),
    ...map(read('cpu.max'), parseCpuMax),
    burstPeriods: stat.get('nr_bursts'),
    burstUsec: stat.get('burst_usec'),
    forceIdleUsec: stat.get('core_sched.force_idle_usec'),
    weight: map(read('cpu.weight'), parseCount),
  });
}

/** What is wanted of `memory.stat`, which has some 60 lines. */
const wantedStat: ReadonlySet<string> = new Set([
  'inactive_file',
  'anon',
  'file',
  'shmem',
  'kernel',
  'slab',
  'sock',
  'file_mapped',
  'pgfault',
  'pgmajfault',
]);

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read('memory.current'), parseCount);
  if (usageBytes === undefined) return undefined;
  const full = detail === 'full';
  const stat = map(read('memory.stat'), (text) => parseFlatKeyed(text, full ? undefined : wantedStat));
  const events = map(read('memory.events'), parseCounts);
  const inactive = stat?.get('inactive_file') ?? 0n;
  return whereKnown<MemoryStats>({
    usageBytes,
    workingSetBytes: stat ? (usageBytes > inactive ? usageBytes - inactive : 0n) : undefined,
    peakBytes: map(read('memory.peak'), parseCount),
    limitBytes: map(read('memory.max'), parseLimit),
    swapBytes: map(read('memory.swap.current'), parseCount),
    oomKills: events?.['oom_kill'],
    ...(detail === 'basic' ? {} : { events, ...memoryKinds(stat) }),
    ...(full ? allOfMemory(read, stat) : {}),
  });
}

type Stat = ReadonlyMap<string, bigint> | undefined;

function memoryKinds(stat: Stat): { [K in 'kinds' | 'faults']: MemoryStats[K] | undefined } {
  return {
    kinds: whereKnown({
      anon: stat?.get('anon'),
      file: stat?.get('file'),
      shmem: stat?.get('shmem'),
      kernel: stat?.get('kernel'),
      slab: stat?.get('slab'),
      sock: stat?.get('sock'),
      mapped: stat?.get('file_mapped'),
    }),
    faults: whereKnown({ minor: stat?.get('pgfault'), major: stat?.get('pgmajfault') }),
  };
}

type AllOfMemory =
  | 'eventsLocal'
  | 'swapLimitBytes'
  | 'swapEvents'
  | 'zswapBytes'
  | 'minBytes'
  | 'lowBytes'
  | 'highBytes'
  | 'stat';

function allOfMemory(read: ReadFile, stat: Stat): { [K in AllOfMemory]: MemoryStats[K] | undefined } {
  return {
    eventsLocal: map(read('memory.events.local'), parseCounts),
    swapLimitBytes: map(read('memory.swap.max'), parseLimit),
    swapEvents: map(read('memory.swap.events'), parseCounts),
    zswapBytes: map(read('memory.zswap.current'), parseCount),
    minBytes: map(read('memory.min'), parseLimit),
    lowBytes: map(read('memory.low'), parseLimit),
    highBytes: map(read('memory.high'), parseLimit),
    stat: map(stat, (entries) => Object.fromEntries(entries)),
  };
}

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids.current'), parseCount);
  if (current === undefined) return undefined;
  return whereKnown<PidsStats>({
    current,
    limit: map(read('pids.max'), parseLimit),
    peak: map(read('pids.peak'), parseCount),
    limitHits: map(read('pids.events'), parseFlatKeyed)?.get('max'),
  });
}

function hugetlbStats(read: ReadFile, pageSizes: readonly string[]): readonly HugetlbStats[] | undefined {
  const found = pageSizes.flatMap((pageSize) => {
    const usageBytes = map(read(`hugetlb.${pageSize}.current`), parseCount);
    if (usageBytes === undefined) return [];
    const stats = whereKnown<HugetlbStats>({
      pageSize,
      usageBytes,
      limitBytes: map(read(`hugetlb.${pageSize}.max`), parseLimit),
      limitHits: map(read(`hugetlb.${pageSize}.events`), parseFlatKeyed)?.get('max'),
    });
    return stats ? [stats] : [];
  });
  return found.length > 0 ? found : undefined;
}

function groupStats(read: ReadFile): GroupStats | undefined {
  const events = map(read('cgroup.events'), parseFlatKeyed);
  const flag = (name: string) => map(events?.get(name), (value) => value === 1n);
  return events && whereKnown<GroupStats>({ populated: flag('populated'), frozen: flag('frozen') });
}
