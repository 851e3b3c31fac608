import { join } from 'node:path';
import {
  FailedPreconditionError,
  NotFoundError,
  UnavailableError,
  UnimplementedError,
  isErrno,
} from '#errors/errors.ts';
import { existsSync, readTextSync, writeTextSync } from '#host/files.ts';
import { isBeingKilled } from '#host/process.ts';
import type { CgroupGroup } from './group.ts';

export type FreezerState = 'thawed' | 'freezing' | 'frozen';

/** What the kernel says of a cgroup's freezer; undefined when the cgroup is gone. */
export function readFreezer(group: CgroupGroup): FreezerState | undefined {
  if (group.hierarchy.version === 2) {
    const folder = group.folder('freezer') ?? '';
    const asked = readTextSync(join(folder, 'cgroup.freeze'))?.trim();
    if (asked === undefined) return undefined;
    if (asked === '0') return 'thawed';
    return /^frozen 1$/m.test(readTextSync(join(folder, 'cgroup.events')) ?? '') ? 'frozen' : 'freezing';
  }
  const text = readTextSync(join(freezerFolder(group), 'freezer.state'))?.trim();
  return text === undefined ? undefined : (text.toLowerCase() as FreezerState);
}

/** How often to look before it is a failure: a task that writes to a dead NFS server may never freeze. */
const attempts = 1000;

/** v1 may stay at FREEZING over a process that was just being started; a short thaw gets it going. */
const kickEvery = 10;

/** The first looks follow each other at once: a quiet process freezes within microseconds. */
const quickLooks = 20;

/** Each later look lets the other tasks' events through, and gives processes time to reach a place where they can be frozen. */
const betweenLooksMs = 1;

/**
 * Freezes every process of a cgroup and returns when the kernel says that all are. v1 has a race: a process that forks
 * meanwhile keeps it at FREEZING, so the order is given again, now and then after a short thaw. A process that is being
 * killed is let die first. When it does not come about, everything is thawed and UnavailableError thrown;
 * FailedPreconditionError when nobody is left to be frozen, UnimplementedError where the kernel has no freezer.
 */
export async function freeze(group: CgroupGroup, sleep: (ms: number) => Promise<void>): Promise<void> {
  try {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      order(group, true);
      const state = readFreezer(group);
      const pids = state === 'frozen' ? group.pids() : [];
      if (state === 'frozen' && !anyKilled(group, pids)) {
        if (pids.length > 0) return;
        throw new FailedPreconditionError(`cannot freeze ${group.path}: its processes have ended`);
      }
      if (state === undefined) throw new NotFoundError(`cannot freeze ${group.path}: there is no such cgroup`);
      if ((state === 'frozen' || attempt % kickEvery === 0) && group.hierarchy.version === 1) order(group, false);
      await sleep(attempt < quickLooks ? 0 : betweenLooksMs);
    }
  } catch (error) {
    thawAfterFailure(group);
    throw error;
  }
  thawAfterFailure(group);
  throw new UnavailableError(`cannot freeze ${group.path}: the kernel still says freezing after ${attempts} tries`);
}

/**
 * Whether a process that is frozen has been killed: under v1 it cannot die before it is thawed, and whoever sent the KILL
 * may have thawed the cgroup just before it was frozen again.
 */
export function holdsKilled(group: CgroupGroup, proc = '/proc'): boolean {
  return anyKilled(group, group.pids(), proc);
}

function anyKilled({ hierarchy }: CgroupGroup, pids: readonly number[], proc = '/proc'): boolean {
  if (hierarchy.version === 2) return false;
  return pids.some((pid) => isBeingKilled(readTextSync(`${proc}/${pid}/status`) ?? ''));
}

/** Lets every process of a cgroup go on; nothing when the cgroup is gone. */
export function thaw(group: CgroupGroup): void {
  order(group, false);
}

function thawAfterFailure(group: CgroupGroup): void {
  if (readFreezer(group) !== undefined) order(group, false);
}

/** What is to be written where to freeze a cgroup or to thaw it, for those who do it in our stead. */
export function freezeOrder(group: CgroupGroup, frozen: boolean): { readonly file: string; readonly text: string } {
  return group.hierarchy.version === 2
    ? { file: join(group.folder('freezer') ?? '', 'cgroup.freeze'), text: frozen ? '1' : '0' }
    : { file: join(freezerFolder(group), 'freezer.state'), text: frozen ? 'FROZEN' : 'THAWED' };
}

function order(group: CgroupGroup, frozen: boolean): void {
  const { file, text } = freezeOrder(group, frozen);
  try {
    writeTextSync(file, text);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error;
    if (frozen && existsSync(group.folders[0] ?? '')) {
      throw new UnimplementedError(`cannot freeze ${group.path}: this kernel has no freezer there`, { cause: error });
    }
  }
}

function freezerFolder(group: CgroupGroup): string {
  return group.folder('freezer') ?? '/nonexistent';
}
