import { hugetlbStats, type HugetlbFiles } from './hugetlb.ts';
import { parseIoStat } from './io.ts';
import { atLeastZero, map } from './optional.ts';
import { parseCount, parseCpuMax, parseFlatKeyed, parseLimit, WantedLines } from './parse.ts';
import { pressureFiles, pressureStats } from './pressure.ts';
import type { ReadFile } from './reader.ts';
import type { CpuStats, GroupStats, MemoryEvents, MemoryStats } from './stats.ts';
import type { PidsStats, StatsDetail, TaskStats } from './stats.ts';
import type { KernelText } from '#host/kernel-text.ts';

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
  ...Object.values(pressureFiles).map((file) => [file, 'standard'] as const),
  ['cgroup.events', 'full'],
];

/** The files of huge pages of one size. */
export function v2Hugetlb(pageSize: string): HugetlbFiles {
  const file = `hugetlb.${pageSize}`;
  return { pageSize, usage: `${file}.current`, limit: `${file}.max`, limitHits: `${file}.events` };
}

/** Makes one reading of v2's files; undefined when none of the usual ones is there any more. Throws MalformedError. */
export function v2Stats(read: ReadFile, detail: StatsDetail, hugetlb: readonly HugetlbFiles[]): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read, detail);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return {
    version: 2,
    cpu,
    memory,
    pids,
    io: map(read('io.stat'), parseIoStat),
    hugetlb: hugetlbStats(read, hugetlb, { limit: parseLimit, limitHits }),
    pressure: pressureStats(read, pressureFiles),
    group: groupStats(read),
  };
}

const cpuStat = new WantedLines(
  ...['usage_usec', 'user_usec', 'system_usec', 'nr_periods', 'nr_throttled', 'throttled_usec'],
  ...['nr_bursts', 'burst_usec', 'core_sched.force_idle_usec'],
);

function cpuStats(read: ReadFile): CpuStats | undefined {
  const [usageUsec, userUsec, systemUsec, periods, throttledPeriods, throttledUsec, ...more] =
    map(read('cpu.stat'), (text) => cpuStat.parse(text)) ?? [];
  if (usageUsec === undefined) return undefined;
  const [burstPeriods, burstUsec, forceIdleUsec] = more;
  const limit = map(read('cpu.max'), parseCpuMax);
  return {
    ...{ usageUsec, userUsec, systemUsec, periods, throttledPeriods, throttledUsec },
    ...{ quotaUsec: limit?.quotaUsec, periodUsec: limit?.periodUsec, burstPeriods, burstUsec, forceIdleUsec },
    weight: map(read('cpu.weight'), parseCount),
  };
}

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read('memory.current'), parseCount);
  if (usageBytes === undefined) return undefined;
  const stat = map(read('memory.stat'), (text) => memoryLines(text, detail));
  const events = map(read('memory.events'), memoryEvents);
  return {
    usageBytes,
    workingSetBytes: stat && atLeastZero(usageBytes - stat.inactiveFile),
    peakBytes: map(read('memory.peak'), parseCount),
    limitBytes: map(read('memory.max'), parseLimit),
    swapBytes: map(read('memory.swap.current'), parseCount),
    oomKills: events?.oom_kill,
    events: detail === 'basic' ? undefined : events,
    eventsLocal: map(read('memory.events.local'), memoryEvents),
    kinds: stat?.kinds,
    faults: stat?.faults,
    stat: stat?.all,
    minBytes: map(read('memory.min'), parseLimit),
    lowBytes: map(read('memory.low'), parseLimit),
    highBytes: map(read('memory.high'), parseLimit),
    swapLimitBytes: map(read('memory.swap.max'), parseLimit),
    swapEvents: map(read('memory.swap.events'), swapEvents),
    zswapBytes: map(read('memory.zswap.current'), parseCount),
  };
}

const inactiveLine = new WantedLines('inactive_file');

/** What is wanted of `memory.stat`, which has some 60 lines. */
const usualLines = new WantedLines(
  ...['inactive_file', 'anon', 'file', 'shmem', 'kernel', 'slab', 'sock', 'file_mapped', 'pgfault', 'pgmajfault'],
);

function memoryLines(text: KernelText, detail: StatsDetail) {
  if (detail === 'basic') return { inactiveFile: inactiveLine.parse(text)[0] ?? 0n };
  const [inactiveFile = 0n, anon, file, shmem, kernel, slab, sock, mapped, minor, major] = usualLines.parse(text);
  const all = detail === 'full' ? parseFlatKeyed(text) : undefined;
  return { inactiveFile, kinds: { anon, file, shmem, kernel, slab, sock, mapped }, faults: { minor, major }, all };
}

const eventLines = new WantedLines('low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill');

function memoryEvents(text: KernelText): MemoryEvents {
  const [low, high, max, oom, oomKill, oomGroupKill] = eventLines.parse(text);
  return { low, high, max, oom, oom_kill: oomKill, oom_group_kill: oomGroupKill };
}

const swapLines = new WantedLines('high', 'max', 'fail');

function swapEvents(text: KernelText): MemoryStats['swapEvents'] {
  const [high, max, fail] = swapLines.parse(text);
  return { high, max, fail };
}

/** In the files of events at a limit: how often it was reached. */
const maxLine = new WantedLines('max');

function limitHits(text: KernelText): bigint | undefined {
  return maxLine.parse(text)[0];
}

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids.current'), parseCount);
  if (current === undefined) return undefined;
  return {
    current,
    limit: map(read('pids.max'), parseLimit),
    peak: map(read('pids.peak'), parseCount),
    limitHits: map(read('pids.events'), limitHits),
  };
}

const groupLines = new WantedLines('populated', 'frozen');

function groupStats(read: ReadFile): GroupStats | undefined {
  const [populated, frozen] = map(read('cgroup.events'), (text) => groupLines.parse(text)) ?? [];
  if (populated === undefined && frozen === undefined) return undefined;
  return { populated: map(populated, isSet), frozen: map(frozen, isSet) };
}

function isSet(flag: bigint): boolean {
  return flag === 1n;
}
