import type { Value } from './row.ts';

/** Prometheus' text format 0.0.4, or OpenMetrics 1.0. */
export type Format = 'text' | 'openmetrics';

export const contentTypes: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const firstBytes = 64 * 1024;
const zero = 48;
const dot = 46;
const newline = 10;
const minus = 45;
const microsecondsASecond = 1_000_000;
const microsecondDigits = 6;

/** What a number may need: 20 digits, a sign, a point, an exponent. */
const numberBytes = 40;

/**
 * Writes an exposition into one buffer: names and labels come as bytes that their owners keep, numbers are written digit by
 * digit, because a string a series costs ten times as much.
 */
export class Exposition {
  readonly format: Format;
  #bytes: Buffer;
  #length = 0;

  constructor(format: Format, expectedBytes = firstBytes) {
    this.format = format;
    this.#bytes = Buffer.allocUnsafe(Math.max(expectedBytes, firstBytes));
  }

  /** Begins a family; its series follow. */
  family({ name, help, type }: { readonly name: string; readonly help: string; readonly type: string }): void {
    // OpenMetrics names a counter without the suffix that its samples have.
    const base = this.format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    this.text(`# HELP ${base} ${escapeHelp(help, this.format)}\n# TYPE ${base} ${type}\n`);
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
    else if (typeof value === 'number' && !Number.isSafeInteger(value)) this.#ascii(formatFloat(value));
    else this.#integer(value);
    this.#byte(newline);
  }

  /** Writes whole microseconds as seconds, exactly, and ends the line. */
  microseconds(value: Value): void {
    if (typeof value !== 'bigint' || value > BigInt(Number.MAX_SAFE_INTEGER)) {
      this.value(typeof value === 'bigint' ? Number(value) / microsecondsASecond : value);
      return;
    }
    this.#reserve(numberBytes);
    const usec = Number(value);
    this.#integer(Math.floor(usec / microsecondsASecond));
    this.#fraction(usec % microsecondsASecond);
    this.#byte(newline);
  }

  /** Ends the whole; nothing may follow. */
  end(): Buffer {
    if (this.format === 'openmetrics') this.text('# EOF\n');
    return this.#bytes.subarray(0, this.#length);
  }

  #integer(value: bigint | number): void {
    if (typeof value === 'bigint' && (value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n)) {
      this.#ascii(value.toString());
      return;
    }
    let rest = Number(value);
    if (rest < 0) {
      this.#byte(minus);
      rest = -rest;
    }
    const from = this.#length;
    do {
      this.#byte(zero + (rest % 10));
      rest = Math.floor(rest / 10);
    } while (rest > 0);
    this.#bytes.subarray(from, this.#length).reverse();
  }

  #fraction(usec: number): void {
    if (usec === 0) return;
    this.#byte(dot);
    let rest = usec;
    let digits = microsecondDigits;
    while (rest % 10 === 0) {
      rest /= 10;
      digits -= 1;
    }
    for (let at = this.#length + digits - 1; at >= this.#length; at -= 1) {
      this.#bytes[at] = zero + (rest % 10);
      rest = Math.floor(rest / 10);
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

/** `name="value"`, escaped as both formats want it. */
export function formatLabel(name: string, value: string): string {
  return `${name}="${value.replace(/[\\"\n]/g, (found) => escapes[found] ?? found)}"`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escapeHelp(help: string, format: Format): string {
  const special = format === 'openmetrics' ? /[\\"\n]/g : /[\\\n]/g;
  return help.replace(special, (found) => escapes[found] ?? found);
}

function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
