import { posix } from 'node:path';
import { CgroupGroup } from '#cgroup/group.ts';
import type { Hierarchy } from '#cgroup/hierarchy.ts';
import { isCgroupFileName } from '#host/kernel-names.ts';
import type { TaskRef } from '#task/ids.ts';

/** Where the agent's cgroups are. */
export interface CgroupPlaces {
  /** Path of the parent from the root of the cgroups. */
  readonly parent: string;
  /** A task's place, as the runtime is told: a path, or `slice:prefix:name` with the systemd driver. */
  readonly pathOf: (ref: TaskRef, requested?: string) => string;
}

export interface CgroupSettings {
  readonly cgroupParent: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}

/**
 * Tasks are at `<parent>/<namespace>/<id>`, with `_` after a name that is a file of the kernel's, such as `tasks`: no
 * identifier ends so. What an API client asks for is placed below the parent, wherever it points.
 */
export function cgroupPlaces({ cgroupParent, cgroupDriver }: CgroupSettings): CgroupPlaces {
  if (cgroupDriver === 'systemd') {
    return {
      parent: slicePath(cgroupParent),
      pathOf: ({ namespace, id }, requested) =>
        requested === undefined
          ? // Identifiers hold no two hyphens in a row, so that no two tasks share a unit.
            `${cgroupParent}:runlet-${namespace}-:${id}`
          : `${cgroupParent}:runlet-api-:${unitName(requested)}`,
    };
  }
  return {
    parent: cgroupParent,
    pathOf: ({ namespace, id }, requested) =>
      requested === undefined || !inside(requested)
        ? `${cgroupParent}/${free(namespace)}/${free(id)}`
        : `${cgroupParent}${inside(requested)}`,
  };
}

/** Makes the parent in every tree, so that it is there before the first task and its limits are the administrator's to set. */
export function makeParent(hierarchy: Hierarchy, { parent }: CgroupPlaces): void {
  new CgroupGroup(hierarchy, parent).create();
}

/**
 * Removes the parent and what is below it when no process is left in it, monitors included: the last trace of a node's tasks.
 * A slice is systemd's to remove.
 */
export function removeUnusedParent(hierarchy: Hierarchy, { parent }: CgroupPlaces): void {
  if (parent.endsWith('.slice')) return;
  const group = new CgroupGroup(hierarchy, parent);
  if (group.exists && group.pids().length === 0) group.remove();
}

/** The path from the parent, without steps upwards; empty for the root. */
function inside(requested: string): string {
  const path = posix.normalize(`/${requested}`);
  return path === '/' ? '' : path.replace(/\/$/, '').split('/').map(free).join('/');
}

/** The name itself, or one like it where the kernel has a file of that name. */
function free(name: string): string {
  return isCgroupFileName(name) ? `${name}_` : name;
}

function unitName(requested: string): string {
  const name = inside(requested.replaceAll(':', '/')).slice(1);
  return name.replaceAll('/', '--').replaceAll(/[^\w.@-]/g, '_') || 'root';
}

/** systemd.slice(5): every hyphen is a step. */
function slicePath(slice: string): string {
  const parts = slice.slice(0, -'.slice'.length).split('-');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}
