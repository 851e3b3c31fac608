import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CgroupGroup } from '#cgroup/group.ts';
import type { TestNode } from './node.ts';

/** One of the kernel's files of a task's cgroup, under whichever version this machine has. */
export function kernelFile(
  node: TestNode,
  id: string,
  v1: readonly [controller: string, file: string],
  v2: string,
): string {
  const group = new CgroupGroup(node.hierarchy, `${node.cgroupParent}/default/${id}`);
  const folder = group.folder(v1[0]);
  return readFileSync(join(folder ?? '', node.hierarchy.version === 1 ? v1[1] : v2), 'utf8');
}

/** The number on the line of a flat keyed file that begins with this name; NaN without one. */
export function keyed(text: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** CPU time of a task as its cgroup has it, in seconds. */
export function cpuSeconds(node: TestNode, id: string): number {
  const text = kernelFile(node, id, ['cpuacct', 'cpuacct.usage'], 'cpu.stat');
  return node.hierarchy.version === 1 ? Math.floor(Number(text) / 1000) / 1e6 : keyed(text, 'usage_usec') / 1e6;
}

/** Periods of a task's quota, those in which it waited, and how long it did. */
export function throttling(
  node: TestNode,
  id: string,
): { readonly periods: number; readonly throttled: number; readonly seconds: number } {
  const text = kernelFile(node, id, ['cpu', 'cpu.stat'], 'cpu.stat');
  const usec =
    node.hierarchy.version === 1 ? Math.floor(keyed(text, 'throttled_time') / 1000) : keyed(text, 'throttled_usec');
  return { periods: keyed(text, 'nr_periods'), throttled: keyed(text, 'nr_throttled'), seconds: usec / 1e6 };
}

/** How often the kernel killed a process of a task for want of memory. */
export function oomKills(node: TestNode, id: string): number {
  return keyed(kernelFile(node, id, ['memory', 'memory.oom_control'], 'memory.events'), 'oom_kill');
}

/** Anonymous memory of a task, in bytes. */
export function anonymousBytes(node: TestNode, id: string): number {
  const text = kernelFile(node, id, ['memory', 'memory.stat'], 'memory.stat');
  return keyed(text, node.hierarchy.version === 1 ? 'total_rss' : 'anon');
}
