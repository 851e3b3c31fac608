import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#errors/errors.ts';

export interface DeviceNode {
  readonly path: string;
  /** `c` for a character device, `b` for a block device, as mknod(1) has it. */
  readonly kind: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** File systems of their own below /dev: terminals, shared memory, message queues. */
const apart = new Set(['pts', 'shm', 'mqueue', '.lxc', '.udev']);

/** The device nodes below a folder such as /dev; links are not followed, what goes meanwhile is left out. */
export function listDevices(folder: string): readonly DeviceNode[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return apart.has(entry.name) ? [] : listDevices(path);
    return entry.isCharacterDevice() || entry.isBlockDevice() ? readDevice(path) : [];
  });
}

function readDevice(path: string): DeviceNode[] {
  try {
    const { mode, rdev, uid, gid, isBlockDevice } = withKind(path);
    return [{ path, kind: isBlockDevice ? 'b' : 'c', ...numbers(rdev), mode: mode & 0o777, uid, gid }];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function withKind(path: string) {
  const stat = lstatSync(path);
  return { mode: stat.mode, rdev: stat.rdev, uid: stat.uid, gid: stat.gid, isBlockDevice: stat.isBlockDevice() };
}

/** glibc's makedev(3): the minor number's lowest byte, then the major's 12 bits, then the rest of both. */
function numbers(rdev: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & ~0xffn)),
  };
}
