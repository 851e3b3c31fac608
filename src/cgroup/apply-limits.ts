import { join } from 'node:path';
import { errorMessage, isErrno } from '#errors/errors.ts';
import { existsSync, readTextSync, writeTextSync } from '#host/files.ts';
import { KernelText } from '#host/kernel-text.ts';
import type { CgroupGroup } from './group.ts';
import { planLimits, type LimitWrite, type Limits } from './limits.ts';
import { map } from './optional.ts';
import { parseCount } from './parse.ts';

/** A limit that could not be set, and whether that may change. */
export interface LimitFailure {
  readonly field: string;
  /** `InUse`: more is used now than the limit allows. `NotSupported`: this kernel or cgroup version has no such thing. */
  readonly reason: 'InUse' | 'NotSupported' | 'Refused';
  readonly message: string;
}

/** Sets what can be set of these limits, whether or not others can, and says what could not. */
export function applyLimits(group: CgroupGroup, limits: Limits): readonly LimitFailure[] {
  const writes = inOrder(group, planLimits(limits, group.hierarchy.version));
  return writes.flatMap((write) => apply(group, write) ?? []);
}

/** v1 keeps memory ≤ memory and swap at every moment: raised, the sum goes first; lowered, last. */
function inOrder(group: CgroupGroup, writes: readonly LimitWrite[]): readonly LimitWrite[] {
  if (group.hierarchy.version === 2) return writes;
  const limit = writes.find(({ field }) => field === 'memory.limit');
  const swap = writes.find(({ field }) => field === 'memory.swap');
  if (!limit || !swap) return writes;
  const now = readCount(join(group.folder('memory') ?? '', 'memory.memsw.limit_in_bytes'));
  const raised = now !== undefined && (limit.text === '-1' || BigInt(limit.text) > now);
  const rest = writes.filter((write) => write !== limit && write !== swap);
  return raised ? [swap, limit, ...rest] : [limit, swap, ...rest];
}

function apply(group: CgroupGroup, write: LimitWrite): LimitFailure | undefined {
  const { field, text } = write;
  const folder = group.folder(write.controller);
  const file = write.files.map((name) => join(folder ?? '', name)).find(existsSync);
  if (folder === undefined || file === undefined) {
    return { field, reason: 'NotSupported', message: `${field} is not supported by this kernel's cgroups` };
  }
  const used = field === 'memory.limit' && text !== 'max' && text !== '-1' ? usedMemory(folder) : undefined;
  if (used !== undefined && used > BigInt(text)) {
    return { field, reason: 'InUse', message: `${field} ${text} is below the ${used} bytes in use` };
  }
  try {
    writeTextSync(file, text);
    return undefined;
  } catch (error) {
    if (isErrno(error, 'EBUSY')) return { field, reason: 'InUse', message: `${field} ${text} is below what is in use` };
    const reason = isErrno(error, 'EOPNOTSUPP', 'ENODEV') ? 'NotSupported' : 'Refused';
    return { field, reason, message: `${field} ${text} was refused by the kernel: ${errorMessage(error)}` };
  }
}

/** What cannot be reclaimed: v2 would kill for it, v1 refuses after trying for long. */
function usedMemory(folder: string): bigint | undefined {
  const usage = readCount(join(folder, 'memory.current')) ?? readCount(join(folder, 'memory.usage_in_bytes'));
  if (usage === undefined) return undefined;
  const stat = readTextSync(join(folder, 'memory.stat')) ?? '';
  const cache = ['file', 'total_cache']
    .map((name) => new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1])
    .find(Boolean);
  const shmem = ['shmem', 'total_shmem']
    .map((name) => new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1])
    .find(Boolean);
  const reclaimable = BigInt(cache ?? '0') - BigInt(shmem ?? '0');
  return usage - (reclaimable > 0n ? reclaimable : 0n);
}

function readCount(path: string): bigint | undefined {
  return map(KernelText.readFile(path), parseCount);
}
