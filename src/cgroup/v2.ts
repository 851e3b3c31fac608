import type { KernelText } from '#host/kernel-text.ts';
import { cgroupFiles, type CgroupFile, type ReadFile } from './files.ts';
import { hugetlbStats, type HugetlbFiles, type HugetlbNames } from './hugetlb.ts';
import { parseIoStat } from './io.ts';
import { netDevFile, parseNetDev } from './network.ts';
import { atLeastZero, map } from './optional.ts';
import { parseCount, parseCpuMax, parseFlatKeyed, parseLimit, WantedLines } from './parse.ts';
import { pressureFiles, pressureStats } from './pressure.ts';
import type { CpuStats, GroupStats, MemoryEvents, MemoryStats } from './stats.ts';
import type { PidsStats, StatsDetail, TaskStats } from './stats.ts';

/** The files that are read and the least detail that wants them. Kernel: admin-guide/cgroup-v2. */
export const v2Files = cgroupFiles({
  cpuStat: ['cpu.stat', 'basic'],
  cpuMax: ['cpu.max', 'basic'],
  cpuWeight: ['cpu.weight', 'full'],
  memoryCurrent: ['memory.current', 'basic'],
  memoryPeak: ['memory.peak', 'basic'],
  memoryMax: ['memory.max', 'basic'],
  memorySwapCurrent: ['memory.swap.current', 'basic'],
  memoryStat: ['memory.stat', 'basic'],
  memoryEvents: ['memory.events', 'basic'],
  memoryEventsLocal: ['memory.events.local', 'full'],
  memoryMin: ['memory.min', 'full'],
  memoryLow: ['memory.low', 'full'],
  memoryHigh: ['memory.high', 'full'],
  memorySwapMax: ['memory.swap.max', 'message'],
  memorySwapEvents: ['memory.swap.events', 'full'],
  memoryZswapCurrent: ['memory.zswap.current', 'full'],
  pidsCurrent: ['pids.current', 'basic'],
  pidsMax: ['pids.max', 'basic'],
  pidsPeak: ['pids.peak', 'full'],
  pidsEvents: ['pids.events', 'full'],
  ioStat: ['io.stat', 'standard'],
  cgroupEvents: ['cgroup.events', 'full'],
  cpuPressure: [pressureFiles.cpu, 'standard'],
  memoryPressure: [pressureFiles.memory, 'standard'],
  ioPressure: [pressureFiles.io, 'standard'],
  irqPressure: [pressureFiles.irq, 'standard'],
  netDev: netDevFile,
});

/** Those that are wanted of a cgroup whose processes have ended. */
export const v2LastFiles: ReadonlySet<CgroupFile> = new Set([
  ...[v2Files.cpuStat, v2Files.memoryCurrent, v2Files.memoryPeak, v2Files.memoryEvents],
  ...[v2Files.cpuPressure, v2Files.memoryPressure, v2Files.ioPressure, v2Files.irqPressure],
]);

/** The names of the files of huge pages of one size. */
export function v2HugetlbNames(pageSize: string): HugetlbNames {
  const file = `hugetlb.${pageSize}`;
  return { usage: `${file}.current`, limit: `${file}.max`, limitHits: `${file}.events` };
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
    io: map(read(v2Files.ioStat), parseIoStat),
    hugetlb: hugetlbStats(read, hugetlb, { limit: parseLimit, limitHits }),
    pressure: pressureStats(read, v2Files),
    network: map(read(v2Files.netDev), parseNetDev),
    group: groupStats(read),
  };
}

const cpuStat = new WantedLines(
  ...['usage_usec', 'user_usec', 'system_usec', 'nr_periods', 'nr_throttled', 'throttled_usec'],
  ...['nr_bursts', 'burst_usec', 'core_sched.force_idle_usec'],
);

function cpuStats(read: ReadFile): CpuStats | undefined {
  const [usageUsec, userUsec, systemUsec, periods, throttledPeriods, throttledUsec, ...more] =
    map(read(v2Files.cpuStat), (text) => cpuStat.parse(text)) ?? [];
  if (usageUsec === undefined) return undefined;
  const [burstPeriods, burstUsec, forceIdleUsec] = more;
  const limit = map(read(v2Files.cpuMax), parseCpuMax);
  return {
    ...{ usageUsec, userUsec, systemUsec, periods, throttledPeriods, throttledUsec },
    ...{ quotaUsec: limit?.quotaUsec, periodUsec: limit?.periodUsec, burstPeriods, burstUsec, forceIdleUsec },
    weight: map(read(v2Files.cpuWeight), parseCount),
  };
}

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read(v2Files.memoryCurrent), parseCount);
  if (usageBytes === undefined) return undefined;
  const stat = map(read(v2Files.memoryStat), (text) => memoryLines(text, detail));
  const events = map(read(v2Files.memoryEvents), memoryEvents);
  return {
    usageBytes,
    workingSetBytes: stat && atLeastZero(usageBytes - stat.inactiveFile),
    peakBytes: map(read(v2Files.memoryPeak), parseCount),
    limitBytes: map(read(v2Files.memoryMax), parseLimit),
    swapBytes: map(read(v2Files.memorySwapCurrent), parseCount),
    oomKills: events?.oom_kill,
    events: detail === 'basic' ? undefined : events,
    eventsLocal: map(read(v2Files.memoryEventsLocal), memoryEvents),
    kinds: stat?.kinds,
    faults: stat?.faults,
    stat: stat?.all,
    minBytes: map(read(v2Files.memoryMin), parseLimit),
    lowBytes: map(read(v2Files.memoryLow), parseLimit),
    highBytes: map(read(v2Files.memoryHigh), parseLimit),
    swapLimitBytes: map(read(v2Files.memorySwapMax), parseLimit),
    swapEvents: map(read(v2Files.memorySwapEvents), swapEvents),
    zswapBytes: map(read(v2Files.memoryZswapCurrent), parseCount),
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
  const current = map(read(v2Files.pidsCurrent), parseCount);
  if (current === undefined) return undefined;
  return {
    current,
    limit: map(read(v2Files.pidsMax), parseLimit),
    peak: map(read(v2Files.pidsPeak), parseCount),
    limitHits: map(read(v2Files.pidsEvents), limitHits),
  };
}

const groupLines = new WantedLines('populated', 'frozen');

function groupStats(read: ReadFile): GroupStats | undefined {
  const [populated, frozen] = map(read(v2Files.cgroupEvents), (text) => groupLines.parse(text)) ?? [];
  if (populated === undefined && frozen === undefined) return undefined;
  return { populated: map(populated, isSet), frozen: map(frozen, isSet) };
}

function isSet(flag: bigint): boolean {
  return flag === 1n;
}
