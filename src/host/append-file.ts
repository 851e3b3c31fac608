import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './files.ts';

/** A new file for root alone that pieces are added to, one after another. */
export class AppendFile implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Makes it, and its folder for root alone. Throws when there is one already, or no room. */
  static async create(path: string): Promise<AppendFile> {
    await makeFolder(dirname(path), 0o700);
    return new AppendFile(await open(path, 'ax', 0o600));
  }

  /** Resolves when the kernel has taken all of it. Throws when the disk is full. */
  async append(data: string): Promise<void> {
    await this.#handle.appendFile(data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.datasync().catch(() => {}); // what could not be written was told by append
    await this.#handle.close();
  }
}
