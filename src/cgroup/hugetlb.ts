import { listFoldersSync } from '#host/files.ts';
import type { KernelText } from '#host/kernel-text.ts';
import type { CgroupFile, ReadFile } from './files.ts';
import { map } from './optional.ts';
import { parseCount } from './parse.ts';
import { detailRank, type HugetlbStats, type Limit } from './stats.ts';

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

/** A cgroup's files of huge pages of one size. */
export interface HugetlbFiles extends Readonly<Record<keyof HugetlbNames, CgroupFile>> {
  readonly pageSize: string;
}

export interface HugetlbNames {
  readonly usage: string;
  readonly limit: string;
  readonly limitHits: string;
}

const filesASize = 3;

/** The files of these sizes, numbered behind the `count` others of a cgroup. */
export function hugetlbFiles(
  pageSizes: readonly string[],
  namesOf: (pageSize: string) => HugetlbNames,
  count: number,
): readonly HugetlbFiles[] {
  return pageSizes.map((pageSize, at) => {
    const { usage, limit, limitHits } = namesOf(pageSize);
    const index = count + at * filesASize;
    return {
      pageSize,
      usage: { index, name: usage, rank: detailRank('standard') },
      limit: { index: index + 1, name: limit, rank: detailRank('message') },
      limitHits: { index: index + 2, name: limitHits, rank: detailRank('message') },
    };
  });
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
