import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFreezer } from '#cgroup/freezer.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import type { TestNode } from '../support/node.ts';

/** A task as the kernel has it. */
export interface KernelTask {
  readonly pids: readonly number[];
  readonly frozen: boolean;
  readonly limits: KernelLimits;
}

/** Undefined: no limit. */
export interface KernelLimits {
  readonly cpuMilli: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly pids: number | undefined;
}

/** Reads a task's cgroup; undefined where there is none. */
export function readKernelTask(node: TestNode, namespace: string, id: string): KernelTask | undefined {
  const group = new CgroupGroup(node.hierarchy, `${node.cgroupParent}/${namespace}/${id}`);
  if (!group.exists) return undefined;
  return { pids: group.pids(), frozen: readFreezer(group) === 'frozen', limits: readLimits(group) };
}

/** The ids that have a cgroup in any tree. */
export function cgroupIds(node: TestNode, namespace: string): readonly string[] {
  const group = new CgroupGroup(node.hierarchy, `${node.cgroupParent}/${namespace}`);
  return [...new Set(group.folders.flatMap(foldersIn))];
}

function readLimits(group: CgroupGroup): KernelLimits {
  const read = (controller: string, file: string) => readWords(join(group.folder(controller) ?? '', file));
  if (group.hierarchy.version === 2) {
    const [quota, period] = read('cpu', 'cpu.max');
    return {
      cpuMilli: toMilli(quota, period),
      memoryBytes: toLimit(read('memory', 'memory.max')[0]),
      pids: toLimit(read('pids', 'pids.max')[0]),
    };
  }
  return {
    cpuMilli: toMilli(read('cpu', 'cpu.cfs_quota_us')[0], read('cpu', 'cpu.cfs_period_us')[0]),
    memoryBytes: toLimit(read('memory', 'memory.limit_in_bytes')[0]),
    pids: toLimit(read('pids', 'pids.max')[0]),
  };
}

function toMilli(quota: string | undefined, period: string | undefined): number | undefined {
  const limit = toLimit(quota);
  return limit === undefined ? undefined : Math.round((limit * 1000) / Number(period));
}

/** v1 writes no limit as -1 or as a number near 2^63. */
function toLimit(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || text === 'max' || value < 0 || value > 2 ** 62 ? undefined : value;
}

function readWords(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trim().split(/\s+/);
  } catch {
    return []; // gone meanwhile, or no such controller
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}
