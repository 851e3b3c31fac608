import type { KernelText } from '#host/kernel-text.ts';
import { detailRank, type StatsDetail } from './stats.ts';

/** A file of a cgroup that a reading may want. */
export interface CgroupFile {
  /** Its place among the files of its version, by which an open one is found. */
  readonly index: number;
  /** Under v1 `controller/file`. */
  readonly name: string;
  /** Rank of the least detail that wants it. */
  readonly rank: number;
}

/**
 * Reads a file; undefined where the kernel has none or the detail of this reading does not want it. What it gives is good until
 * the next reading.
 */
export type ReadFile = (file: CgroupFile) => KernelText | undefined;

/** Files by what a reading calls them, each written as its name and the least detail that wants it. */
export function cgroupFiles<Key extends string>(
  table: Readonly<Record<Key, readonly [name: string, least: StatsDetail]>>,
): Readonly<Record<Key, CgroupFile>> {
  const rows = Object.entries<readonly [string, StatsDetail]>(table);
  const files = rows.map(([key, [name, least]], index) => [key, { index, name, rank: detailRank(least) }]);
  return Object.fromEntries(files) as Record<Key, CgroupFile>;
}
