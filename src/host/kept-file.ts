import * as fs from 'node:fs';
import { isErrno } from '#errors/errors.ts';
import { readTextSync } from './files.ts';
import { KernelText } from './kernel-text.ts';

/**
 * What of the descriptors that this process may have is for files that are kept; the rest is for sockets, FIFOs and
 * everything else, of which a task takes some three.
 */
const shareOfLimit = 0.75;
let room: number | undefined;
let openFiles = 0;

/**
 * A file of the kernel's that is kept open and read again from its beginning: a microsecond or two a reading, where opening
 * it each time costs five times as much.
 */
export class KeptFile implements Disposable {
  #fd: number | undefined;
  #gone = false;

  private constructor(fd: number) {
    this.#fd = fd;
    openFiles += 1;
  }

  /** Whether one more may be kept: at most three quarters of the process's descriptors are. */
  static get hasRoom(): boolean {
    room ??= Math.floor(descriptorLimit() * shareOfLimit);
    return openFiles < room;
  }

  /** How many are open. */
  static get count(): number {
    return openFiles;
  }

  /** Opens a file; undefined when there is none. */
  static open(path: string): KeptFile | undefined {
    try {
      return new KeptFile(fs.openSync(path, 'r'));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP')) return undefined;
      throw error;
    }
  }

  /** Whether a reading was answered that what the file speaks of is no more. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * What it says now, good until the next reading of any file; undefined once the thing that it speaks of is gone, or where the
   * kernel counts nothing.
   */
  read(): KernelText | undefined {
    if (this.#fd === undefined || this.#gone) return undefined;
    try {
      return KernelText.readFrom(this.#fd);
    } catch (error) {
      if (isErrno(error, 'EOPNOTSUPP')) return undefined;
      if (!isErrno(error, 'ENODEV', 'ENOENT')) throw error;
      this.#gone = true;
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    openFiles -= 1;
    this.#fd = undefined;
  }
}

/** How many descriptors this process may have open. Node raises the soft limit to the hard one when it starts. */
export function descriptorLimit(proc = '/proc'): number {
  const limits = readTextSync(`${proc}/self/limits`) ?? '';
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? 1_048_576 : Number(soft);
}
