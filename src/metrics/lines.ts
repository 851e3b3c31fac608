import type { Value } from './row.ts';

const firstBytes = 4 * 1024;
const zero = 48;
const dot = 46;
const newline = 10;
const minus = 45;
const microsecondsASecond = 1_000_000;
const microsecondDigits = 6;
const billion = 1_000_000_000;
const billionDigits = 9;

/** What a number may need: 20 digits, a sign, a point, an exponent. */
const numberBytes = 40;

/**
 * Lines of an exposition in a buffer that grows: names and labels come as bytes that their owners keep, numbers are written
 * digit by digit, because a string a series costs ten times as much.
 */
export class Lines {
  #bytes: Buffer;
  #length = 0;

  constructor(expectedBytes = 0) {
    this.#bytes = Buffer.allocUnsafe(Math.max(expectedBytes, firstBytes));
  }

  /** What was written; more may follow, which is not in it. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Copies bytes. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(text: string): void {
    this.bytes(Buffer.from(text));
  }

  /** Writes a value and ends the line. */
  value(value: Value): void {
    this.#reserve(numberBytes);
    if (value === 'unlimited') this.#ascii('+Inf');
    else if (typeof value === 'bigint') this.#bigint(value);
    else if (Number.isSafeInteger(value)) this.#integer(value);
    else this.#ascii(formatFloat(value));
    this.#byte(newline);
  }

  /** Writes whole microseconds as seconds, exactly, and ends the line. */
  microseconds(value: Value): void {
    if (value === 'unlimited' || value > Number.MAX_SAFE_INTEGER) {
      this.value(value === 'unlimited' ? value : Number(value) / microsecondsASecond);
      return;
    }
    this.#reserve(numberBytes);
    const usec = Number(value);
    const seconds = Math.floor(usec / microsecondsASecond);
    this.#integer(seconds);
    this.#fraction(usec - seconds * microsecondsASecond);
    this.#byte(newline);
  }

  #bigint(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) this.#integer(number);
    else this.#ascii(value.toString());
  }

  #integer(value: number): void {
    if (value < 0) this.#byte(minus);
    this.#natural(Math.abs(value));
  }

  /** In parts that fit 32 bits, with which a processor is quicker. */
  #natural(value: number): void {
    if (value < billion) {
      this.#digits(value, digitsOf(value));
      return;
    }
    const billions = Math.floor(value / billion);
    this.#natural(billions);
    this.#digits(value - billions * billion, billionDigits);
  }

  #fraction(usec: number): void {
    if (usec === 0) return;
    this.#byte(dot);
    let rest = usec;
    let digits = microsecondDigits;
    for (; rest % 10 === 0; rest /= 10) digits -= 1;
    this.#digits(rest, digits);
  }

  #digits(value: number, digits: number): void {
    let rest = value | 0;
    for (let at = this.#length + digits - 1; at >= this.#length; at -= 1) {
      const tenth = (rest / 10) | 0;
      this.#bytes[at] = zero + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += digits;
  }

  #ascii(text: string): void {
    for (let at = 0; at < text.length; at += 1) this.#byte(text.charCodeAt(at));
  }

  #byte(byte: number): void {
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return digits;
}

function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
