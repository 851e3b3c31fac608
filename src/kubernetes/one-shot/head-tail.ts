import { maxCapturedBytes } from './schema-status.ts';

/** What stands where output was left out. */
const gap = '\n[... output left out ...]\n';

/** The beginning and the end of what a program writes, of a bounded length however long it goes on. */
export class HeadTail {
  readonly #half = maxCapturedBytes / 2;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer = Buffer.alloc(0);
  #lost = false;

  add(data: Uint8Array): void {
    const room = this.#half - this.#headBytes;
    const first = data.subarray(0, room);
    if (first.byteLength > 0) {
      this.#head.push(Buffer.from(first));
      this.#headBytes += first.byteLength;
    }
    const rest = data.subarray(first.byteLength);
    if (rest.byteLength === 0) return;
    const all = Buffer.concat([this.#tail, rest]);
    this.#lost ||= all.byteLength > this.#half;
    this.#tail = all.byteLength > this.#half ? Buffer.from(all.subarray(-this.#half)) : all;
  }

  /** The bytes that its text takes when nothing more is left out. */
  get textBytes(): number {
    const { head, tail } = this.#texts();
    return head.byteLength + tail.byteLength + (this.#lost ? gap.length : 0);
  }

  /** What was written in at most `budget` bytes; bytes that are no UTF-8 stand as U+FFFD. */
  text(budget: number): { readonly text: string; readonly truncated: boolean } {
    const { head, tail } = this.#texts();
    if (!this.#lost && head.byteLength + tail.byteLength <= budget) {
      return { text: Buffer.concat([head, tail]).toString(), truncated: false };
    }
    const whole = this.#lost ? undefined : Buffer.concat([head, tail]);
    const room = Math.max(0, budget - gap.length);
    const start = startOf(whole ?? head, Math.ceil(room / 2));
    const end = endOf(whole ?? tail, Math.floor(room / 2));
    return { text: `${start.toString()}${gap}${end.toString()}`, truncated: true };
  }

  /** Both ends in valid UTF-8; a character that lies across both is in the first. */
  #texts(): { readonly head: Buffer; readonly tail: Buffer } {
    const head = Buffer.concat(this.#head);
    if (this.#lost) {
      const from = this.#tail.findIndex((byte) => !isContinuation(byte));
      return { head: valid(startOf(head, head.byteLength)), tail: valid(this.#tail.subarray(Math.max(0, from))) };
    }
    return { head: valid(Buffer.concat([head, this.#tail])), tail: Buffer.alloc(0) };
  }
}

/** The texts of both streams, 32 KiB together: what one does not need is the other's. */
export function captured(
  stdout: HeadTail,
  stderr: HeadTail,
): { readonly stdout: string; readonly stderr: string; readonly truncated: boolean } {
  const half = maxCapturedBytes / 2;
  const out = stdout.text(Math.max(half, maxCapturedBytes - stderr.textBytes));
  const err = stderr.text(Math.max(half, maxCapturedBytes - stdout.textBytes));
  return { stdout: out.text, stderr: err.text, truncated: out.truncated || err.truncated };
}

function valid(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('utf8'));
}

/** At most `length` bytes of the beginning, no character cut. */
function startOf(bytes: Buffer, length: number): Buffer {
  let end = Math.min(length, bytes.byteLength);
  while (end > 0 && end < bytes.byteLength && isContinuation(bytes[end])) end -= 1;
  return bytes.subarray(0, end);
}

/** At most `length` bytes of the end, no character cut. */
function endOf(bytes: Buffer, length: number): Buffer {
  let start = Math.max(0, bytes.byteLength - length);
  while (start > 0 && start < bytes.byteLength && isContinuation(bytes[start])) start += 1;
  return bytes.subarray(start);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
