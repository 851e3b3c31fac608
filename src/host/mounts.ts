import { readFileSync } from 'node:fs';
import { CommandFailedError } from '#errors/errors.ts';
import { runCommand } from './command.ts';

/** A file system to mount, as containerd's `Mount` and OCI's `mounts` name it. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  /** Options as of mount(8); `lowerdir=` and the like go through as they are. */
  readonly options: readonly string[];
}

/** One line of `/proc/self/mountinfo` (proc(5)). */
export interface MountEntry {
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
  /** Its own options, such as `ro` and `nosuid`. */
  readonly options: readonly string[];
  /** The super block's own options, such as a v1 cgroup's controllers or an overlay's folders. */
  readonly superOptions: readonly string[];
}

/** Mounts with mount(8). Throws CommandFailedError with what mount said. */
export async function mount(what: Mount, target: string, signal?: AbortSignal): Promise<void> {
  const bind = what.options.includes('rbind') ? ['--rbind'] : what.options.includes('bind') ? ['--bind'] : [];
  const options = what.options.filter((option) => option !== 'bind' && option !== 'rbind');
  const type = bind.length > 0 || !what.type ? [] : ['-t', what.type];
  const joined = options.length > 0 ? ['-o', options.join(',')] : [];
  // What is named by an open descriptor is that very place; mount(8) would look for its path first.
  const exact = what.source.startsWith('/proc/') ? ['--no-canonicalize'] : [];
  const args = [...exact, ...bind, ...type, ...joined, what.source || what.type, target];
  await runCommand('mount', args, signal ? { signal } : {});
}

/** Unmounts everything at a place; it is no error when nothing is mounted there. Busy mounts are detached at once. */
export async function unmount(target: string): Promise<void> {
  while (isMountPoint(target)) {
    try {
      await runCommand('umount', ['-l', target]);
    } catch (error) {
      if (error instanceof CommandFailedError && !isMountPoint(target)) return;
      throw error;
    }
  }
}

/**
 * Makes a mount of another mount namespace read-only, that of the process with this pid. Only mount(8)'s own calls happen in
 * there: nothing that lies there is run or read (util-linux, since 2.33).
 */
export async function remountReadOnly(pid: number, target: string): Promise<void> {
  const { options = [] } =
    readMounts(`/proc/${pid}/mountinfo`).findLast(({ mountPoint }) => mountPoint === target) ?? {};
  // A remount sets all options: those that are not named are gone.
  const kept = options.filter((option) => option !== 'rw' && option !== 'ro');
  const how = ['remount', 'bind', 'ro', ...kept].join(',');
  await runCommand('mount', ['--namespace', `/proc/${pid}/ns/mnt`, '-o', how, target]);
}

/** Whether something is mounted exactly there. */
export function isMountPoint(path: string): boolean {
  return readMounts().some((entry) => entry.mountPoint === path);
}

/** The mounts at or below a folder, deepest first: the order to unmount them in. Of a machine's now, or of a reading that is fresh. */
export function mountsBelow(folder: string, mounts: readonly MountEntry[] = readMounts()): MountEntry[] {
  const inside = (path: string) => path === folder || path.startsWith(`${folder}/`);
  return mounts.filter((entry) => inside(entry.mountPoint)).toReversed();
}

/** Every mount that this process sees, in the order in which they were made. */
export function readMounts(path = '/proc/self/mountinfo'): MountEntry[] {
  return parseMountInfo(readFileSync(path, 'utf8'));
}

/** Parses mountinfo; lines that do not follow the format are left out. Spaces and the like stand as octal escapes. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const [, , , , mountPoint, options = ''] = left?.split(' ') ?? [];
    const [type, source, superOptions = ''] = right?.split(' ') ?? [];
    return mountPoint && type && source !== undefined
      ? [
          {
            ...{ mountPoint: unescape(mountPoint), type, source: unescape(source) },
            options: options.split(','),
            superOptions: superOptions.split(','),
          },
        ]
      : [];
  });
}

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)));
}
