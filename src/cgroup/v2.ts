import { parseCount, parseCpuMax, parseFlatKeyed, parseLimit } from './parse.ts';
import type { ReadFile } from './reader.ts';
import type { CpuStats, MemoryStats, PidsStats, TaskStats } from './stats.ts';
import { given, map } from './v1.ts';

/** The files that are read. Kernel: admin-guide/cgroup-v2. */
export const v2Files: readonly string[] = [
  'cpu.stat',
  'cpu.max',
  'memory.current',
  'memory.peak',
  'memory.max',
  'memory.swap.current',
  'memory.stat',
  'memory.events',
  'pids.current',
  'pids.max',
];

/** Makes one reading of v2's files; undefined when none of them is there any more. Throws MalformedError. */
export function v2Stats(read: ReadFile): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return { version: 2, ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}), ...(pids ? { pids } : {}) };
}

function cpuStats(read: ReadFile): CpuStats | undefined {
  const stat = map(read('cpu.stat'), parseFlatKeyed);
  const usage = stat?.get('usage_usec');
  if (!stat || usage === undefined) return undefined;
  return {
    usageUsec: usage,
    ...given('userUsec', stat.get('user_usec')),
    ...given('systemUsec', stat.get('system_usec')),
    ...given('periods', stat.get('nr_periods')),
    ...given('throttledPeriods', stat.get('nr_throttled')),
    ...given('throttledUsec', stat.get('throttled_usec')),
    ...map(read('cpu.max'), parseCpuMax),
  };
}

function memoryStats(read: ReadFile): MemoryStats | undefined {
  const usage = map(read('memory.current'), parseCount);
  if (usage === undefined) return undefined;
  const stat = map(read('memory.stat'), parseFlatKeyed);
  const inactive = stat?.get('inactive_file') ?? 0n;
  return {
    usageBytes: usage,
    ...(stat ? { workingSetBytes: usage > inactive ? usage - inactive : 0n } : {}),
    ...given('peakBytes', map(read('memory.peak'), parseCount)),
    ...given('limitBytes', map(read('memory.max'), parseLimit)),
    ...given('swapBytes', map(read('memory.swap.current'), parseCount)),
    ...given('oomKills', map(read('memory.events'), parseFlatKeyed)?.get('oom_kill')),
  };
}

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids.current'), parseCount);
  return current === undefined ? undefined : { current, ...given('limit', map(read('pids.max'), parseLimit)) };
}
