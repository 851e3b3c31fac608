import { listFoldersSync } from '#host/files.ts';
import type { KernelText } from '#host/kernel-text.ts';
import { map } from './optional.ts';
import { parseCount } from './parse.ts';
import type { ReadFile } from './reader.ts';
import type { HugetlbStats, Limit } from './stats.ts';

const units = ['KB', 'MB', 'GB'] as const;

/**
 * The sizes of huge pages that this machine has, as cgroup files write them: `hugepages-2048kB` is `2MB`. Kernel:
 * admin-guide/mm/hugetlbpage.rst.
 */
export function readHugePageSizes(sys = '/sys'): readonly string[] {
  return listFoldersSync(`${sys}/kernel/mm/hugepages`).flatMap((name) => {
    const kib = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    return kib === undefined ? [] : [toCgroupSize(Number(kib))];
  });
}

function toCgroupSize(kib: number): string {
  let size = kib;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size}${units[unit]}`;
}

/** The names of a cgroup's files of huge pages of one size. */
export interface HugetlbFiles {
  readonly pageSize: string;
  readonly usage: string;
  readonly limit: string;
  readonly limitHits: string;
}

/** What they say of the sizes that are there; undefined without any. */
export function hugetlbStats(
  read: ReadFile,
  sizes: readonly HugetlbFiles[],
  parse: {
    readonly limit: (text: KernelText) => Limit;
    readonly limitHits: (text: KernelText) => bigint | undefined;
  },
): readonly HugetlbStats[] | undefined {
  const found: HugetlbStats[] = [];
  for (const { pageSize, usage, limit, limitHits } of sizes) {
    const usageBytes = map(read(usage), parseCount);
    if (usageBytes === undefined) continue;
    const limitBytes = map(read(limit), parse.limit);
    found.push({ pageSize, usageBytes, limitBytes, limitHits: map(read(limitHits), parse.limitHits) });
  }
  return found.length > 0 ? found : undefined;
}
