import type { GrowingFile } from '#host/growing-file.ts';

const chunkBytes = 64 * 1024;
const lineEnd = 0x0a;

/** Longer than any entry that the monitor writes: what has no end by then is no log. */
const longestEntry = 1024 * 1024;

/** Reads a log entry by entry, from an offset to where it ends for now, and goes on from there when asked again. */
export class LogEntries {
  readonly #file: GrowingFile;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: GrowingFile, offset = 0) {
    this.#file = file;
    this.#offset = offset;
  }

  get inode(): number {
    return this.#file.inode;
  }

  /**
   * What is there and was not read yet; the beginning of an entry waits for its end.
   * @yields Each entry without its line end.
   */
  async *available(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = await this.#file.read(this.#offset, chunkBytes);
      if (chunk.length === 0) return;
      this.#offset += chunk.length;
      const text = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
      let from = 0;
      for (let end = text.indexOf(lineEnd); end >= 0; end = text.indexOf(lineEnd, from)) {
        yield text.subarray(from, end);
        from = end + 1;
      }
      this.#rest = text.length - from > longestEntry ? Buffer.alloc(0) : Buffer.from(text.subarray(from));
    }
  }

  async close(): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}

/** Where the last `count` entries of a file begin, and how many there are fewer. Reads from the end. */
export async function lastEntries(
  file: GrowingFile,
  count: number,
): Promise<{ readonly offset: number; readonly missing: number }> {
  let end = await file.size();
  let left = count;
  let atEnd = true;
  while (end > 0 && left > 0) {
    const start = Math.max(0, end - chunkBytes);
    const chunk = await file.read(start, end - start);
    // The last byte of the file ends the last entry; every other line end stands before one.
    let at = atEnd ? chunk.length - 1 : chunk.length;
    atEnd = false;
    while (at > 0 && (at = chunk.lastIndexOf(lineEnd, at - 1)) >= 0) {
      left -= 1;
      if (left === 0) return { offset: start + at + 1, missing: 0 };
    }
    end = start;
  }
  const found = (await file.size()) > 0 && count > 0 ? 1 : 0;
  return count === 0 ? { offset: await file.size(), missing: 0 } : { offset: 0, missing: Math.max(0, left - found) };
}
