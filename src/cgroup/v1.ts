import { parseCount, parseFlatKeyed, parseV1MemoryLimit, parseV1Quota } from './parse.ts';
import type { ReadFile } from './reader.ts';
import type { CpuStats, MemoryStats, PidsStats, TaskStats } from './stats.ts';

/** The files that are read, by controller. Kernel: admin-guide/cgroup-v1. */
export const v1Files: readonly (readonly [controller: string, file: string])[] = [
  ['cpuacct', 'cpuacct.usage'],
  ['cpuacct', 'cpuacct.usage_user'],
  ['cpuacct', 'cpuacct.usage_sys'],
  ['cpu', 'cpu.stat'],
  ['cpu', 'cpu.cfs_quota_us'],
  ['cpu', 'cpu.cfs_period_us'],
  ['memory', 'memory.usage_in_bytes'],
  ['memory', 'memory.max_usage_in_bytes'],
  ['memory', 'memory.limit_in_bytes'],
  ['memory', 'memory.memsw.usage_in_bytes'],
  ['memory', 'memory.stat'],
  ['memory', 'memory.oom_control'],
  ['pids', 'pids.current'],
  ['pids', 'pids.max'],
];

const nanosecondsAMicrosecond = 1000n;

/** Makes one reading of v1's files; undefined when none of them is there any more. Throws MalformedError. */
export function v1Stats(read: ReadFile): TaskStats | undefined {
  const cpu = cpuStats(read);
  const memory = memoryStats(read);
  const pids = pidsStats(read);
  if (!cpu && !memory && !pids) return undefined;
  return { version: 1, ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}), ...(pids ? { pids } : {}) };
}

function cpuStats(read: ReadFile): CpuStats | undefined {
  const usage = usec(read('cpuacct/cpuacct.usage'));
  if (usage === undefined) return undefined;
  const user = usec(read('cpuacct/cpuacct.usage_user'));
  const system = usec(read('cpuacct/cpuacct.usage_sys'));
  const stat = map(read('cpu/cpu.stat'), parseFlatKeyed);
  return {
    usageUsec: usage,
    ...given('userUsec', user),
    ...given('systemUsec', system),
    ...given('periods', stat?.get('nr_periods')),
    ...given('throttledPeriods', stat?.get('nr_throttled')),
    ...given('throttledUsec', map(stat?.get('throttled_time'), toUsec)),
    ...given('quotaUsec', map(read('cpu/cpu.cfs_quota_us'), parseV1Quota)),
    ...given('periodUsec', map(read('cpu/cpu.cfs_period_us'), parseCount)),
  };
}

function memoryStats(read: ReadFile): MemoryStats | undefined {
  const usage = map(read('memory/memory.usage_in_bytes'), parseCount);
  if (usage === undefined) return undefined;
  const stat = map(read('memory/memory.stat'), parseFlatKeyed);
  const inactive = stat?.get('total_inactive_file') ?? 0n;
  const withSwap = map(read('memory/memory.memsw.usage_in_bytes'), parseCount);
  return {
    usageBytes: usage,
    ...(stat ? { workingSetBytes: usage > inactive ? usage - inactive : 0n } : {}),
    ...given('peakBytes', map(read('memory/memory.max_usage_in_bytes'), parseCount)),
    ...given('limitBytes', map(read('memory/memory.limit_in_bytes'), parseV1MemoryLimit)),
    ...given('swapBytes', stat?.get('total_swap') ?? map(withSwap, (both) => (both > usage ? both - usage : 0n))),
    ...given('oomKills', map(read('memory/memory.oom_control'), parseFlatKeyed)?.get('oom_kill')),
  };
}

function pidsStats(read: ReadFile): PidsStats | undefined {
  const current = map(read('pids/pids.current'), parseCount);
  const limit = map(read('pids/pids.max'), (text) =>
    text.trim() === 'max' ? ('unlimited' as const) : parseCount(text),
  );
  return current === undefined ? undefined : { current, ...given('limit', limit) };
}

function usec(text: string | undefined): bigint | undefined {
  return map(map(text, parseCount), toUsec);
}

function toUsec(nanoseconds: bigint): bigint {
  return nanoseconds / nanosecondsAMicrosecond;
}

/** Applies a function to what is there. */
export function map<T, U>(value: T | undefined, to: (value: T) => U): U | undefined {
  return value === undefined ? undefined : to(value);
}

/** A property that is there only when it has a value. */
export function given<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [name]: value } as Record<K, V>);
}
