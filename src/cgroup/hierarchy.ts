import { readTextSync } from '#host/files.ts';
import { parseMountInfo } from '#host/mounts.ts';

/**
 * Where this machine has its cgroups. `hybrid` and plain v1 are both version 1: the controllers are there, and a v2 tree
 * beside them only follows processes.
 */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** v1: controller (or `name=systemd`) → mount point, `cpu` and `cpuacct` alike when they are mounted together. v2: empty. */
  readonly controllers: ReadonlyMap<string, string>;
  /** The v2 tree: the only one under v2, the extra one in hybrid mode. */
  readonly unified?: string;
}

/** What this machine mounts. A tree mounted twice counts where it was mounted first. */
export function detectHierarchy(mountInfo = '/proc/self/mountinfo'): Hierarchy {
  return parseHierarchy(readTextSync(mountInfo) ?? '');
}

const notControllers = new Set(['rw', 'ro', 'xattr', 'noprefix', 'clone_children', 'favordynmods', 'cpuset_v2_mode']);

/** The same from the text of mountinfo (proc(5)): v1 names its controllers in the super block's options. */
export function parseHierarchy(text: string): Hierarchy {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const entry of parseMountInfo(text)) {
    if (entry.type === 'cgroup2') unified ??= entry.mountPoint;
    if (entry.type !== 'cgroup') continue;
    for (const option of entry.superOptions) {
      if (notControllers.has(option) || option.startsWith('release_agent')) continue;
      if (!controllers.has(option)) controllers.set(option, entry.mountPoint);
    }
  }
  return { version: controllers.size > 0 ? 1 : 2, controllers, ...(unified === undefined ? {} : { unified }) };
}

/** Every mount point of the machine's cgroups, each once. */
export function mountPoints(hierarchy: Hierarchy): readonly string[] {
  return [...new Set([...hierarchy.controllers.values(), ...(hierarchy.unified ? [hierarchy.unified] : [])])];
}
