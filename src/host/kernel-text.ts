import * as fs from 'node:fs';
import { isErrno } from '#errors/errors.ts';

/** Larger than any file of a cgroup; `memory.stat` has about 4 KiB, an io file some 100 bytes a device. */
const sharedBytes = 256 * 1024;

/**
 * What a file of the kernel's says, as the bytes that the kernel wrote: who reads hundreds of small files a millisecond makes
 * no strings of them. All readings share one buffer, so a text is good until the next one is read.
 */
export class KernelText {
  /** One byte longer than any text, so that a zero stands behind each. */
  readonly #bytes: Buffer;
  #length = 0;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A text of its own. */
  static of(text: string): KernelText {
    const bytes = Buffer.from(`${text}\0`, 'latin1');
    const made = new KernelText(bytes);
    made.#length = bytes.length - 1;
    return made;
  }

  /** Reads an open file from its beginning. */
  static readFrom(fd: number): KernelText {
    shared ??= new KernelText(Buffer.allocUnsafe(sharedBytes));
    const length = fs.readSync(fd, shared.#bytes, 0, sharedBytes - 1, 0);
    shared.#bytes[length] = 0;
    shared.#length = length;
    return shared;
  }

  /** Opens a file for one reading; undefined when there is none, or nothing that it speaks of any more. */
  static readFile(path: string): KernelText | undefined {
    let fd: number | undefined;
    try {
      fd = fs.openSync(path, 'r');
      return KernelText.readFrom(fd);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'ESRCH', 'EOPNOTSUPP')) return undefined;
      throw error;
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  }

  get length(): number {
    return this.#length;
  }

  /** The byte at a position; 0 just behind the last one. */
  at(position: number): number {
    return this.#bytes[position] ?? 0;
  }

  /** Where the line ends that this position is in: at its newline, or at the text's end. */
  endOfLine(from: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let end = from;
    while (end < length && bytes[end] !== newline) end += 1;
    return end;
  }

  /** Whether this word of ASCII stands there. */
  has(word: string, position: number): boolean {
    const bytes = this.#bytes;
    for (let at = 0; at < word.length; at += 1) {
      if (bytes[position + at] !== word.charCodeAt(at)) return false;
    }
    return true;
  }

  /** A part as a string, all of it without bounds. */
  toString(from = 0, to = this.#length): string {
    return this.#bytes.toString('latin1', from, to);
  }
}

let shared: KernelText | undefined;
const newline = 10;
