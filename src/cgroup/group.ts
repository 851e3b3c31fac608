import { join } from 'node:path';
import { isErrno } from '#errors/errors.ts';
import {
  existsSync,
  listFoldersSync,
  makeFolderSync,
  readTextSync,
  removeEmptyFolderSync,
  writeText,
  writeTextSync,
} from '#host/files.ts';
import { mountPoints, type Hierarchy } from './hierarchy.ts';

/**
 * Where a cgroup is: one folder under v2, one for each controller under v1, where `unified` is the extra v2 tree of a hybrid
 * machine. What is not there is left out.
 */
export type CgroupFolders =
  | { readonly version: 1; readonly dirs: Readonly<Record<string, string>> }
  | { readonly version: 2; readonly dirs: string };

/** One cgroup by its path, in every tree that the machine mounts. Nothing is cached: the kernel is asked each time. */
export class CgroupGroup {
  readonly path: string;
  readonly hierarchy: Hierarchy;
  /** Its folder in each tree, whether it is there or not. */
  readonly folders: readonly string[];

  constructor(hierarchy: Hierarchy, path: string) {
    this.hierarchy = hierarchy;
    this.path = path;
    this.folders = mountPoints(hierarchy).map((mountPoint) => join(mountPoint, path));
  }

  /** Its folder under one v1 controller, or in the v2 tree; undefined when the machine has no such controller. */
  folder(controller: string): string | undefined {
    const { version, controllers, unified } = this.hierarchy;
    const mountPoint = version === 2 ? unified : controllers.get(controller);
    return mountPoint === undefined ? undefined : join(mountPoint, this.path);
  }

  /** v1: every controller's folder, by controller's name. */
  get foldersByController(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.hierarchy.controllers].map(([name, at]) => [name, join(at, this.path)]));
  }

  /** Where its files are, for a reader. */
  get places(): CgroupFolders {
    const { version, unified } = this.hierarchy;
    if (version === 2) return { version, dirs: this.folder('') ?? '' };
    const extra = unified === undefined ? {} : { unified: join(unified, this.path) };
    return { version, dirs: { ...this.foldersByController, ...extra } };
  }

  get exists(): boolean {
    return this.folders.some(existsSync);
  }

  /** Makes it in every tree. v1's cpuset takes nobody before it has cpus and mems: they are taken from above. */
  create(): void {
    for (const folder of this.folders) makeFolderSync(folder, 0o755);
    const cpuset = this.hierarchy.controllers.get('cpuset');
    if (cpuset !== undefined) inheritCpuset(cpuset, this.path);
  }

  /** Moves one process into it, in every tree. Returns false when the process has ended. */
  async add(pid: number): Promise<boolean> {
    const moves = this.folders.map((folder) => writeText(join(folder, 'cgroup.procs'), String(pid)));
    const failed = (await Promise.allSettled(moves)).find((move) => move.status === 'rejected');
    if (!failed) return true;
    if (isErrno(failed.reason, 'ESRCH')) return false;
    throw failed.reason;
  }

  /** Every process of it and of the cgroups below it; none when it is gone. */
  pids(): readonly number[] {
    // One tree is enough where all know all processes; the freezer's is the one that pausing and killing go by.
    const folder = this.folder('freezer') ?? this.folder('pids') ?? this.folders[0];
    return folder === undefined ? [] : [...new Set(pidsBelow(folder))];
  }

  /** The same by one of its folders. */
  pidsIn(folder: string): readonly number[] {
    return pidsBelow(folder);
  }

  /**
   * Removes it and what is below it from every tree. Returns false while a process or zombie still holds one: v1 answers
   * EBUSY for a moment after the last exit.
   */
  remove(): boolean {
    return this.folders.map(removeBelow).every(Boolean);
  }
}

function pidsBelow(folder: string): number[] {
  const own = readTextSync(join(folder, 'cgroup.procs')) ?? '';
  const here = own.split('\n').filter(Boolean).map(Number);
  return [...here, ...listFoldersSync(folder).flatMap((name) => pidsBelow(join(folder, name)))];
}

function removeBelow(folder: string): boolean {
  try {
    removeEmptyFolderSync(folder);
    return true;
  } catch (error) {
    if (!isErrno(error, 'EBUSY', 'ENOTEMPTY')) throw error;
  }
  const names = listFoldersSync(folder);
  if (names.length === 0) return false;
  if (!names.map((name) => removeBelow(join(folder, name))).every(Boolean)) return false;
  try {
    removeEmptyFolderSync(folder);
    return true;
  } catch (error) {
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

function inheritCpuset(mountPoint: string, path: string): void {
  let above = mountPoint;
  for (const name of path.split('/').filter(Boolean)) {
    const here = join(above, name);
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if ((readTextSync(join(here, file)) ?? '').trim() !== '') continue;
      writeTextSync(join(here, file), (readTextSync(join(above, file)) ?? '').trim());
    }
    above = here;
  }
}
