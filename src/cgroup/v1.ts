import type { KernelText } from '#host/kernel-text.ts';
import { cgroupFiles, type CgroupFile, type ReadFile } from './files.ts';
import { hugetlbStats, type HugetlbFiles, type HugetlbNames } from './hugetlb.ts';
import { blkioStats, parseBlkio, type DeviceCounts } from './io.ts';
import { netDevFile, parseNetDev } from './network.ts';
import { atLeastZero, map } from './optional.ts';
import {
  parseCount,
  parseCounts,
  parseFlatKeyed,
  parseLimit,
  parseV1MemoryLimit,
  parseV1Quota,
  WantedLines,
} from './parse.ts';
import { pressureFiles, pressureStats } from './pressure.ts';
import type { CpuStats, GroupStats, IoStats, MemoryStats } from './stats.ts';
import type { PidsStats, StatsDetail, TaskStats } from './stats.ts';

/** The files that are read, by controller, and the least detail that wants them. Kernel: admin-guide/cgroup-v1. */
export const v1Files = cgroupFiles({
  cpuUsage: ['cpuacct/cpuacct.usage', 'basic'],
  cpuUser: ['cpuacct/cpuacct.usage_user', 'basic'],
  cpuSystem: ['cpuacct/cpuacct.usage_sys', 'basic'],
  cpuPerCpu: ['cpuacct/cpuacct.usage_percpu', 'message'],
  cpuStat: ['cpu/cpu.stat', 'basic'],
  cpuQuota: ['cpu/cpu.cfs_quota_us', 'basic'],
  cpuPeriod: ['cpu/cpu.cfs_period_us', 'basic'],
  cpuShares: ['cpu/cpu.shares', 'full'],
  memoryUsage: ['memory/memory.usage_in_bytes', 'basic'],
  memoryMaxUsage: ['memory/memory.max_usage_in_bytes', 'basic'],
  memoryLimit: ['memory/memory.limit_in_bytes', 'basic'],
  memoryStat: ['memory/memory.stat', 'basic'],
  memoryOomControl: ['memory/memory.oom_control', 'basic'],
  memoryMemswUsage: ['memory/memory.memsw.usage_in_bytes', 'basic'],
  memoryKmemUsage: ['memory/memory.kmem.usage_in_bytes', 'standard'],
  memoryKmemTcpUsage: ['memory/memory.kmem.tcp.usage_in_bytes', 'standard'],
  memoryFailcnt: ['memory/memory.failcnt', 'message'],
  memoryMemswLimit: ['memory/memory.memsw.limit_in_bytes', 'message'],
  memorySoftLimit: ['memory/memory.soft_limit_in_bytes', 'full'],
  pidsCurrent: ['pids/pids.current', 'basic'],
  pidsMax: ['pids/pids.max', 'basic'],
  pidsPeak: ['pids/pids.peak', 'full'],
  pidsEvents: ['pids/pids.events', 'full'],
  throttleBytesBelow: ['blkio/blkio.throttle.io_service_bytes_recursive', 'standard'],
  throttleBytes: ['blkio/blkio.throttle.io_service_bytes', 'standard'],
  throttleCountBelow: ['blkio/blkio.throttle.io_serviced_recursive', 'standard'],
  throttleCount: ['blkio/blkio.throttle.io_serviced', 'standard'],
  bfqBytesBelow: ['blkio/blkio.bfq.io_service_bytes_recursive', 'standard'],
  bfqBytes: ['blkio/blkio.bfq.io_service_bytes', 'standard'],
  bfqCountBelow: ['blkio/blkio.bfq.io_serviced_recursive', 'standard'],
  bfqCount: ['blkio/blkio.bfq.io_serviced', 'standard'],
  cfqBytesBelow: ['blkio/blkio.io_service_bytes_recursive', 'standard'],
  cfqBytes: ['blkio/blkio.io_service_bytes', 'standard'],
  cfqCountBelow: ['blkio/blkio.io_serviced_recursive', 'standard'],
  cfqCount: ['blkio/blkio.io_serviced', 'standard'],
  freezerState: ['freezer/freezer.state', 'full'],
  // A hybrid machine has a v2 tree without controllers beside v1's: pressure is counted there.
  cpuPressure: [`unified/${pressureFiles.cpu}`, 'standard'],
  memoryPressure: [`unified/${pressureFiles.memory}`, 'standard'],
  ioPressure: [`unified/${pressureFiles.io}`, 'standard'],
  irqPressure: [`unified/${pressureFiles.irq}`, 'standard'],
  netDev: netDevFile,
});

/** Those that are wanted of a cgroup whose processes have ended. */
export const v1LastFiles: ReadonlySet<CgroupFile> = new Set([
  ...[v1Files.cpuUsage, v1Files.cpuStat, v1Files.memoryUsage, v1Files.memoryMaxUsage, v1Files.memoryOomControl],
  ...[v1Files.cpuPressure, v1Files.memoryPressure, v1Files.ioPressure, v1Files.irqPressure],
]);

/** The names of the files of huge pages of one size. */
export function v1HugetlbNames(pageSize: string): HugetlbNames {
  const file = `hugetlb/hugetlb.${pageSize}`;
  return { usage: `${file}.usage_in_bytes`, limit: `${file}.limit_in_bytes`, limitHits: `${file}.failcnt` };
}

const nanosecondsAMicrosecond = 1000n;

/** Makes one reading of v1's files; undefined when none of the usual ones is there any more. Throws MalformedError. */
export function v1Stats(read: ReadFile, detail: StatsDetail, hugetlb: readonly HugetlbFiles[]): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read, detail);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return {
    version: 1,
    cpu,
    memory,
    pids,
    io: ioStats(read),
    hugetlb: hugetlbStats(read, hugetlb, { limit: parseV1MemoryLimit, limitHits: parseCount }),
    pressure: pressureStats(read, v1Files),
    network: map(read(v1Files.netDev), parseNetDev),
    group: groupStats(read),
  };
}

const cpuLines = new WantedLines('nr_periods', 'nr_throttled', 'throttled_time', 'nr_bursts', 'burst_time');

function cpuStats(read: ReadFile): CpuStats | undefined {
  const usageUsec = map(read(v1Files.cpuUsage), parseUsec);
  if (usageUsec === undefined) return undefined;
  const [periods, throttledPeriods, throttled, burstPeriods, burst] =
    map(read(v1Files.cpuStat), (text) => cpuLines.parse(text)) ?? [];
  const quotaUsec = map(read(v1Files.cpuQuota), parseV1Quota);
  return {
    usageUsec,
    userUsec: map(read(v1Files.cpuUser), parseUsec),
    systemUsec: map(read(v1Files.cpuSystem), parseUsec),
    perCpuUsec: map(read(v1Files.cpuPerCpu), parseCounts)?.map(toUsec),
    periods,
    throttledPeriods,
    throttledUsec: map(throttled, toUsec),
    quotaUsec,
    // Without a quota nobody wants to know of what period it is a part.
    periodUsec: quotaUsec === 'unlimited' ? undefined : map(read(v1Files.cpuPeriod), parseCount),
    burstPeriods,
    burstUsec: map(burst, toUsec),
    shares: map(read(v1Files.cpuShares), parseCount),
  };
}

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read(v1Files.memoryUsage), parseCount);
  if (usageBytes === undefined) return undefined;
  const stat = map(read(v1Files.memoryStat), (text) => memoryLines(text, detail));
  return {
    usageBytes,
    workingSetBytes: stat && atLeastZero(usageBytes - stat.inactiveFile),
    peakBytes: map(read(v1Files.memoryMaxUsage), parseCount),
    limitBytes: map(read(v1Files.memoryLimit), parseV1MemoryLimit),
    swapBytes: stat?.swapBytes ?? swapOf(read, usageBytes),
    oomKills: map(read(v1Files.memoryOomControl), oomKills),
    kinds: detail === 'basic' ? undefined : { ...stat?.kinds, ...kernelKinds(read) },
    faults: stat?.faults,
    stat: stat?.all,
    limitHits: map(read(v1Files.memoryFailcnt), parseCount),
    swapLimitBytes: map(read(v1Files.memoryMemswLimit), parseV1MemoryLimit),
    lowBytes: map(read(v1Files.memorySoftLimit), parseV1MemoryLimit),
  };
}

/** What is wanted of `memory.stat`, which has some 40 lines; `total_` counts the groups below as well. */
const total = 'total_';
const basicLines = new WantedLines(`${total}inactive_file`, `${total}swap`);
const usualLines = new WantedLines(
  ...['inactive_file', 'swap', 'rss', 'cache', 'shmem', 'mapped_file', 'pgfault', 'pgmajfault'].map(
    (name) => total + name,
  ),
);

function memoryLines(text: KernelText, detail: StatsDetail) {
  const lines = detail === 'basic' ? basicLines : usualLines;
  const [inactiveFile = 0n, swapBytes, anon, file, shmem, mapped, minor, major] = lines.parse(text);
  if (detail === 'basic') return { inactiveFile, swapBytes };
  const all = detail === 'full' ? totals(text) : undefined;
  return { inactiveFile, swapBytes, kinds: { anon, file, shmem, mapped }, faults: { minor, major }, all };
}

function totals(text: KernelText): MemoryStats['stat'] {
  const entries = Object.entries(parseFlatKeyed(text)).filter(([name]) => name.startsWith(total));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(total.length), value]));
}

/** A kernel that does not count swap in `memory.stat` may have it in the file of both together. */
function swapOf(read: ReadFile, usageBytes: bigint): bigint | undefined {
  return map(map(read(v1Files.memoryMemswUsage), parseCount), (both) => atLeastZero(both - usageBytes));
}

const oomKillLine = new WantedLines('oom_kill');

function oomKills(text: KernelText): bigint | undefined {
  return oomKillLine.parse(text)[0];
}

function kernelKinds(read: ReadFile): MemoryStats['kinds'] {
  return {
    kernel: map(read(v1Files.memoryKmemUsage), parseCount),
    sock: map(read(v1Files.memoryKmemTcpUsage), parseCount),
  };
}

const maxLine = new WantedLines('max');

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read(v1Files.pidsCurrent), parseCount);
  if (current === undefined) return undefined;
  return {
    current,
    limit: map(read(v1Files.pidsMax), parseLimit),
    peak: map(read(v1Files.pidsPeak), parseCount),
    limitHits: map(read(v1Files.pidsEvents), (text) => maxLine.parse(text)[0]),
  };
}

/**
 * Who counts depends on kernel and scheduler: the throttling layer (which newer kernels let count only where a rule is set),
 * BFQ, or CFQ before 5.0. The first that knows a device is taken; without any, the first that is there.
 */
const policies = [
  {
    bytes: [v1Files.throttleBytesBelow, v1Files.throttleBytes],
    operations: [v1Files.throttleCountBelow, v1Files.throttleCount],
  },
  { bytes: [v1Files.bfqBytesBelow, v1Files.bfqBytes], operations: [v1Files.bfqCountBelow, v1Files.bfqCount] },
  { bytes: [v1Files.cfqBytesBelow, v1Files.cfqBytes], operations: [v1Files.cfqCountBelow, v1Files.cfqCount] },
] as const;

const nothing: DeviceCounts = new Map();

function ioStats(read: ReadFile): IoStats | undefined {
  let found: IoStats | undefined;
  for (const { bytes, operations } of policies) {
    const counted = map(readFirst(read, bytes), parseBlkio);
    if (!counted) continue;
    if (counted.size > 0) return blkioStats(counted, map(readFirst(read, operations), parseBlkio) ?? nothing);
    found ??= { devices: [] };
  }
  return found;
}

/** The first of these files that is there. */
function readFirst(read: ReadFile, files: readonly CgroupFile[]): KernelText | undefined {
  for (const file of files) {
    const text = read(file);
    if (text) return text;
  }
  return undefined;
}

function groupStats(read: ReadFile): GroupStats | undefined {
  const state = read(v1Files.freezerState);
  return state && { frozen: state.has('FROZEN', 0) };
}

function parseUsec(text: KernelText): bigint {
  return toUsec(parseCount(text));
}

function toUsec(nanoseconds: bigint): bigint {
  return nanoseconds / nanosecondsAMicrosecond;
}
