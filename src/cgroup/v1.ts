import type { KernelText } from '#host/kernel-text.ts';
import { hugetlbStats, type HugetlbFiles } from './hugetlb.ts';
import { blkioStats, parseBlkio, type DeviceCounts } from './io.ts';
import { atLeastZero, map } from './optional.ts';
import { parseCount, parseFlatKeyed, parseLimit, parseV1MemoryLimit, parseV1Quota, WantedLines } from './parse.ts';
import { pressureFiles, pressureStats } from './pressure.ts';
import type { ReadFile } from './reader.ts';
import type { CpuStats, GroupStats, IoStats, MemoryStats } from './stats.ts';
import type { PidsStats, StatsDetail, TaskStats } from './stats.ts';

/** A hybrid machine has a v2 tree without controllers beside v1's: pressure is counted there. */
const unifiedPressure = {
  cpu: `unified/${pressureFiles.cpu}`,
  memory: `unified/${pressureFiles.memory}`,
  io: `unified/${pressureFiles.io}`,
  irq: `unified/${pressureFiles.irq}`,
} as const;

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
  ...Object.values(unifiedPressure).map((file) => [file, 'standard'] as const),
];

/** The files of huge pages of one size. */
export function v1Hugetlb(pageSize: string): HugetlbFiles {
  const file = `hugetlb/hugetlb.${pageSize}`;
  return {
    pageSize,
    usage: `${file}.usage_in_bytes`,
    limit: `${file}.limit_in_bytes`,
    limitHits: `${file}.failcnt`,
  };
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
    pressure: pressureStats(read, unifiedPressure),
    group: groupStats(read),
  };
}

const cpuLines = new WantedLines('nr_periods', 'nr_throttled', 'throttled_time', 'nr_bursts', 'burst_time');

function cpuStats(read: ReadFile): CpuStats | undefined {
  const usageUsec = map(read('cpuacct/cpuacct.usage'), parseUsec);
  if (usageUsec === undefined) return undefined;
  const [periods, throttledPeriods, throttled, burstPeriods, burst] =
    map(read('cpu/cpu.stat'), (text) => cpuLines.parse(text)) ?? [];
  const quotaUsec = map(read('cpu/cpu.cfs_quota_us'), parseV1Quota);
  return {
    usageUsec,
    userUsec: map(read('cpuacct/cpuacct.usage_user'), parseUsec),
    systemUsec: map(read('cpuacct/cpuacct.usage_sys'), parseUsec),
    periods,
    throttledPeriods,
    throttledUsec: map(throttled, toUsec),
    quotaUsec,
    // Without a quota nobody wants to know of what period it is a part.
    periodUsec: quotaUsec === 'unlimited' ? undefined : map(read('cpu/cpu.cfs_period_us'), parseCount),
    burstPeriods,
    burstUsec: map(burst, toUsec),
    shares: map(read('cpu/cpu.shares'), parseCount),
  };
}

function memoryStats(read: ReadFile, detail: StatsDetail): MemoryStats | undefined {
  const usageBytes = map(read('memory/memory.usage_in_bytes'), parseCount);
  if (usageBytes === undefined) return undefined;
  const stat = map(read('memory/memory.stat'), (text) => memoryLines(text, detail));
  return {
    usageBytes,
    workingSetBytes: stat && atLeastZero(usageBytes - stat.inactiveFile),
    peakBytes: map(read('memory/memory.max_usage_in_bytes'), parseCount),
    limitBytes: map(read('memory/memory.limit_in_bytes'), parseV1MemoryLimit),
    swapBytes: stat?.swapBytes ?? swapOf(read, usageBytes),
    oomKills: map(read('memory/memory.oom_control'), oomKills),
    kinds: detail === 'basic' ? undefined : { ...stat?.kinds, ...kernelKinds(read) },
    faults: stat?.faults,
    stat: stat?.all,
    limitHits: map(read('memory/memory.failcnt'), parseCount),
    swapLimitBytes: map(read('memory/memory.memsw.limit_in_bytes'), parseV1MemoryLimit),
    lowBytes: map(read('memory/memory.soft_limit_in_bytes'), parseV1MemoryLimit),
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
  return map(map(read('memory/memory.memsw.usage_in_bytes'), parseCount), (both) => atLeastZero(both - usageBytes));
}

const oomKillLine = new WantedLines('oom_kill');

function oomKills(text: KernelText): bigint | undefined {
  return oomKillLine.parse(text)[0];
}

function kernelKinds(read: ReadFile): MemoryStats['kinds'] {
  return {
    kernel: map(read('memory/memory.kmem.usage_in_bytes'), parseCount),
    sock: map(read('memory/memory.kmem.tcp.usage_in_bytes'), parseCount),
  };
}

const maxLine = new WantedLines('max');

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids/pids.current'), parseCount);
  if (current === undefined) return undefined;
  return {
    current,
    limit: map(read('pids/pids.max'), parseLimit),
    limitHits: map(read('pids/pids.events'), (text) => maxLine.parse(text)[0]),
  };
}

/**
 * Who counts depends on kernel and scheduler: the throttling layer (which newer kernels let count only where a rule is set),
 * BFQ, or CFQ before 5.0. The first that knows a device is taken; without any, the first that is there.
 */
const policies = ['throttle.', 'bfq.', ''].map((policy) => ({
  bytes: [`blkio/blkio.${policy}io_service_bytes_recursive`, `blkio/blkio.${policy}io_service_bytes`],
  operations: [`blkio/blkio.${policy}io_serviced_recursive`, `blkio/blkio.${policy}io_serviced`],
}));

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
function readFirst(read: ReadFile, files: readonly string[]): KernelText | undefined {
  for (const file of files) {
    const text = read(file);
    if (text) return text;
  }
  return undefined;
}

function groupStats(read: ReadFile): GroupStats | undefined {
  const state = read('freezer/freezer.state');
  return state && { frozen: state.has('FROZEN', 0) };
}

function parseUsec(text: KernelText): bigint {
  return toUsec(parseCount(text));
}

function toUsec(nanoseconds: bigint): bigint {
  return nanoseconds / nanosecondsAMicrosecond;
}
