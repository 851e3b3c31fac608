import * as fs from 'node:fs';
import { isErrno } from '#errors/errors.ts';

/** Larger than any file of a cgroup; `memory.stat` has about 4 KiB, an io file some 100 bytes a device. */
const bufferBytes = 256 * 1024;
let shared: Buffer | undefined;

/**
 * A file of the kernel's that is kept open and read again from its beginning: a few microseconds a reading, where opening
 * it each time costs five times as much.
 */
export class KeptFile implements Disposable {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
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

  /** What it says now; undefined once the thing that it speaks of is gone. */
  read(): string | undefined {
    if (this.#fd === undefined) return undefined;
    shared ??= Buffer.allocUnsafe(bufferBytes);
    try {
      return shared.toString('latin1', 0, fs.readSync(this.#fd, shared, 0, bufferBytes, 0));
    } catch (error) {
      if (isErrno(error, 'ENODEV', 'ENOENT', 'EOPNOTSUPP')) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    this.#fd = undefined;
  }
}
