import * as fs from 'node:fs';
import { isErrno } from '#errors/errors.ts';
import { readTextSync } from './files.ts';
import { KernelText } from './kernel-text.ts';

/**
 * What of the descriptors that this process may have is for files that are kept: of a task some twenty, beside which it takes
 * up to three for its streams. Where there is no room a file is opened for each reading, which takes five times as long.
 */
const shareOfLimit = 0.85;
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
  readonly #hasRoom: () => boolean;
  #gone = false;

  /** For files 0 to `count` - 1; one without a path is missing. */
  constructor(count: number, pathOf: (file: number) => string | undefined, hasRoom = processHasRoom) {
    this.#descriptors = Array.from({ length: count }, () => notOpen);
    this.#pathOf = pathOf;
    this.#hasRoom = hasRoom;
  }

  /** How many are open in this process. */
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
    const known = this.#descriptors[file] ?? missing;
    if (known >= 0) return this.#readOpen(known);
    const opened = known === missing ? missing : this.#open(file);
    if (opened === missing) return undefined;
    if (!keep || !this.#hasRoom()) return this.#readAndClose(opened);
    this.#descriptors[file] = opened;
    openFiles += 1;
    return this.#readOpen(opened);
  }

  /** Opens a file; one that is missing is not looked for again, because asking in vain takes longest of all. */
  #open(file: number): number {
    const path = this.#pathOf(file);
    const descriptor = path === undefined ? missing : openAt(path);
    if (descriptor === missing) this.#descriptors[file] = missing;
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

  #readAndClose(descriptor: number): KernelText | undefined {
    try {
      return this.#readOpen(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
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

function processHasRoom(): boolean {
  room ??= Math.floor(descriptorLimit() * shareOfLimit);
  return openFiles < room;
}

function openAt(path: string): number {
  try {
    return fs.openSync(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'ESRCH', 'EOPNOTSUPP')) return missing;
    throw error;
  }
}

/** How many descriptors this process may have open. Node raises the soft limit to the hard one when it starts. */
export function descriptorLimit(proc = '/proc'): number {
  const limits = readTextSync(`${proc}/self/limits`) ?? '';
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? 1_048_576 : Number(soft);
}
