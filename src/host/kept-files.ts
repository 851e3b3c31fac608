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

/** In the place of a descriptor: nobody has looked yet, or there was no room to keep the file. */
const notOpen = -1;
/** There is no such file, and there will be none. */
const missing = -2;

/**
 * Files of one thing of the kernel's that are kept open and read again and again from their beginning, which takes a
 * microsecond or two where opening each anew takes five times as much. Files go by number: of a thousand groups of files
 * nothing is kept but descriptors.
 */
export class KeptFiles implements Disposable {
  readonly #descriptors: number[];
  readonly #pathOf: (file: number) => string | undefined;
  #gone = false;

  /** For files 0 to `count` - 1; one without a path is missing. */
  constructor(count: number, pathOf: (file: number) => string | undefined) {
    this.#descriptors = Array.from({ length: count }, () => notOpen);
    this.#pathOf = pathOf;
  }

  /** How many are open in this process: at most three quarters of the descriptors that it may have. */
  static get count(): number {
    return openFiles;
  }

  /** Whether a reading was answered that what the files speak of is no more. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * What a file says now, good until the next reading of any file; undefined where there is none, where the kernel counts
   * nothing, or once the thing that it speaks of is gone. With `keep` it stays open where there is room.
   */
  read(file: number, keep: boolean): KernelText | undefined {
    let descriptor = this.#descriptors[file] ?? missing;
    if (descriptor === notOpen && keep && hasRoom()) descriptor = this.#open(file);
    if (descriptor >= 0) return this.#readOpen(descriptor);
    return descriptor === missing ? undefined : this.#readOnce(file);
  }

  #open(file: number): number {
    const path = this.#pathOf(file);
    const descriptor = path === undefined ? missing : openAt(path);
    this.#descriptors[file] = descriptor;
    if (descriptor >= 0) openFiles += 1;
    return descriptor;
  }

  #readOpen(descriptor: number): KernelText | undefined {
    if (this.#gone) return undefined;
    try {
      return KernelText.readFrom(descriptor);
    } catch (error) {
      if (isErrno(error, 'EOPNOTSUPP')) return undefined;
      if (!isErrno(error, 'ENODEV', 'ENOENT')) throw error;
      this.#gone = true;
      return undefined;
    }
  }

  #readOnce(file: number): KernelText | undefined {
    const path = this.#pathOf(file);
    return path === undefined ? undefined : KernelText.readFile(path);
  }

  /** Closes them all; a later reading opens them anew. */
  [Symbol.dispose](): void {
    for (const [file, descriptor] of this.#descriptors.entries()) {
      if (descriptor >= 0) {
        fs.closeSync(descriptor);
        openFiles -= 1;
      }
      this.#descriptors[file] = notOpen;
    }
  }
}

function hasRoom(): boolean {
  room ??= Math.floor(descriptorLimit() * shareOfLimit);
  return openFiles < room;
}

function openAt(path: string): number {
  try {
    return fs.openSync(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP')) return missing;
    throw error;
  }
}

/** How many descriptors this process may have open. Node raises the soft limit to the hard one when it starts. */
export function descriptorLimit(proc = '/proc'): number {
  const limits = readTextSync(`${proc}/self/limits`) ?? '';
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? 1_048_576 : Number(soft);
}
