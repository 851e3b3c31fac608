import { listFoldersSync } from '#host/files.ts';

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
