import { join } from 'node:path';
import { KeptFiles } from '#host/kept-files.ts';
import type { CgroupFile, ReadFile } from './files.ts';
import type { CgroupFolders } from './group.ts';
import { hugetlbFiles, readHugePageSizes, type HugetlbFiles } from './hugetlb.ts';
import { netDevFile } from './network.ts';
import { detailRank, type StatsDetail, type TaskStats } from './stats.ts';
import { v1Files, v1HugetlbNames, v1LastFiles, v1Stats } from './v1.ts';
import { v2Files, v2HugetlbNames, v2LastFiles, v2Stats } from './v2.ts';

export interface ReaderOptions {
  /** The detail whose files stay open between readings; what a more detailed reading needs is opened for it. */
  readonly keep?: StatsDetail;
  /** `/proc/PID/net/dev` of a process in the task's own network namespace; absent where the task shares another's. */
  readonly netDev?: string | undefined;
  readonly pageSizes?: readonly string[];
  /** Only what is worth keeping of a task that has ended: processor time, most memory, out-of-memory kills, pressure. */
  readonly last?: boolean;
}

export interface CgroupReader extends Disposable {
  /** Reads now; undefined once the cgroup is gone. Throws MalformedError. */
  read(detail?: StatsDetail): TaskStats | undefined;
}

let machinePageSizes: readonly string[] | undefined;

/**
 * Reads a cgroup as often as wanted. Its files are opened by the first reading and kept, because opening takes longer than
 * reading. Dispose of it, or its descriptors stay.
 */
export function openCgroupReader(where: CgroupFolders, options: ReaderOptions = {}): CgroupReader {
  const { keep = 'standard', netDev, last = false } = options;
  const pageSizes = options.pageSizes ?? (machinePageSizes ??= readHugePageSizes());
  const layout = layoutOf(where.version, pageSizes);
  const { files } = layout;
  const kept = new KeptFiles(files.length, (index) => pathOf(where, netDev, files[index]?.name ?? ''));
  return new Reader(layout, kept, { keep, last });
}

/** What all cgroups of a machine have in common. */
interface Layout {
  readonly files: readonly CgroupFile[];
  readonly hugetlb: readonly HugetlbFiles[];
  readonly lastFiles: ReadonlySet<CgroupFile>;
  readonly stats: typeof v1Stats;
}

const versions = {
  1: { named: v1Files, hugetlbNames: v1HugetlbNames, lastFiles: v1LastFiles, stats: v1Stats },
  2: { named: v2Files, hugetlbNames: v2HugetlbNames, lastFiles: v2LastFiles, stats: v2Stats },
};
const layouts = new Map<string, Layout>();

function layoutOf(version: 1 | 2, pageSizes: readonly string[]): Layout {
  const key = `${version} ${pageSizes.join(' ')}`;
  const known = layouts.get(key);
  if (known) return known;
  const { named, hugetlbNames, lastFiles, stats } = versions[version];
  const usual = Object.values(named);
  const hugetlb = hugetlbFiles(pageSizes, hugetlbNames, usual.length);
  const files = [...usual, ...hugetlb.flatMap(({ usage, limit, limitHits }) => [usage, limit, limitHits])];
  const made = { files, hugetlb, lastFiles, stats };
  layouts.set(key, made);
  return made;
}

function pathOf({ version, dirs }: CgroupFolders, netDev: string | undefined, name: string): string | undefined {
  if (name === netDevFile[0]) return netDev;
  if (version === 2) return join(dirs, name);
  const slash = name.indexOf('/');
  const folder = dirs[name.slice(0, slash)];
  return folder === undefined ? undefined : join(folder, name.slice(slash + 1));
}

class Reader implements CgroupReader {
  readonly #layout: Layout;
  readonly #kept: KeptFiles;
  readonly #keepRank: number;
  readonly #only: ReadonlySet<CgroupFile> | undefined;
  /** Of the reading under way. */
  #rank = 0;

  constructor(layout: Layout, kept: KeptFiles, { keep, last }: { readonly keep: StatsDetail; readonly last: boolean }) {
    this.#layout = layout;
    this.#kept = kept;
    this.#keepRank = detailRank(keep);
    this.#only = last ? layout.lastFiles : undefined;
  }

  read(detail: StatsDetail = 'standard'): TaskStats | undefined {
    const { stats, hugetlb } = this.#layout;
    this.#rank = detailRank(detail);
    const found = stats(this.#read, detail, hugetlb);
    return this.#kept.gone ? undefined : found;
  }

  readonly #read: ReadFile = (file) => {
    const { index, rank } = file;
    if (rank > this.#rank || (this.#only && !this.#only.has(file))) return undefined;
    return this.#kept.read(index, rank <= this.#keepRank);
  };

  [Symbol.dispose](): void {
    this.#kept[Symbol.dispose]();
  }
}
