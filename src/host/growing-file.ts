import { open, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { isErrno } from '#errors/errors.ts';

/** A file that somebody else appends to, open for reading; it stays the same file when it gets another name. */
export class GrowingFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  /** Which file it is, on its file system. */
  readonly inode: number;

  private constructor(handle: FileHandle, inode: number) {
    this.#handle = handle;
    this.inode = inode;
  }

  /** Opens a file; undefined when there is none. */
  static async open(path: string): Promise<GrowingFile | undefined> {
    try {
      const handle = await open(path, 'r');
      return new GrowingFile(handle, (await handle.stat()).ino);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Up to `bytes` from an offset; empty at its end. */
  async read(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes);
    const { bytesRead } = await this.#handle.read(buffer, 0, bytes, offset);
    return buffer.subarray(0, bytesRead);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Which file a path names now; undefined when there is none. */
export async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Says that something was changed now. */
export async function touch(path: string, nowMs: number): Promise<void> {
  await utimes(path, nowMs / 1000, nowMs / 1000);
}
