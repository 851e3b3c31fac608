import { MalformedError } from '#errors/errors.ts';
import type { KernelText } from '#host/kernel-text.ts';
import type { Limit } from './stats.ts';

/** Up to here a decimal text is a safe integer, which becomes a bigint faster than the text does. */
const safeDigits = 15;
/** 2^64 has as many. */
const mostDigits = 20;
const zero = 48;
const nine = 57;
const space = 32;
const newline = 10;
const equals = 61;

/** Parses one decimal count of any size. Throws MalformedError. */
export function parseCount(text: KernelText): bigint {
  return countBetween(text, 0, endOfText(text));
}

/** The decimal count of any size that stands between two positions. Throws MalformedError. */
export function countBetween(text: KernelText, from: number, to: number): bigint {
  const length = to - from;
  if (length <= 0 || length > mostDigits) throw malformed('a count', text, from, to);
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.at(at) - zero;
    if (digit < 0 || digit > 9) throw malformed('a count', text, from, to);
    value = value * 10 + digit;
  }
  return BigInt(length <= safeDigits ? value : text.toString(from, to));
}

/** Parses counts with a space behind each, as v1 writes one for each CPU. Throws MalformedError. */
export function parseCounts(text: KernelText): readonly bigint[] {
  const counts: bigint[] = [];
  for (let from = 0; from < text.length;) {
    const to = endOfWord(text, from);
    if (to > from) counts.push(countBetween(text, from, to));
    from = to + 1;
  }
  return counts;
}

/** Parses a v2 limit: a count or `max`. Throws MalformedError. */
export function parseLimit(text: KernelText): Limit {
  return limitBetween(text, 0, endOfText(text));
}

function limitBetween(text: KernelText, from: number, to: number): Limit {
  return to - from === 3 && text.has('max', from) ? 'unlimited' : countBetween(text, from, to);
}

/**
 * Parses a v1 memory limit, where no limit is the largest multiple of the page size below 2^63. Throws MalformedError.
 */
export function parseV1MemoryLimit(text: KernelText): Limit {
  const bytes = parseCount(text);
  return bytes >= unlimitedV1Bytes ? 'unlimited' : bytes;
}

/** 2^63 less one page of 64 KiB, the largest that Linux has. */
const unlimitedV1Bytes = 2n ** 63n - 65_536n;

/** Parses a v1 quota: microseconds a period, -1 for none. Throws MalformedError. */
export function parseV1Quota(text: KernelText): Limit {
  return text.has('-1', 0) && endOfText(text) === 2 ? 'unlimited' : parseCount(text);
}

/** Parses `cpu.max`, `quota period`, both microseconds. Throws MalformedError. */
export function parseCpuMax(text: KernelText): { readonly quotaUsec: Limit; readonly periodUsec: bigint } {
  const end = endOfText(text);
  const gap = endOfWord(text, 0);
  return { quotaUsec: limitBetween(text, 0, gap), periodUsec: countBetween(text, gap + 1, end) };
}

/**
 * Some lines of a flat keyed file such as `memory.stat`, `name value` on each line: what is wanted of forty lines is found
 * without making a string of any. Kernel: cgroup-v2.rst, "Flat keyed".
 */
export class WantedLines {
  readonly #names: readonly string[];
  /** Where the last text had the names, from its top down: a kernel writes its lines always in the same order. */
  #places: readonly Place[] | undefined;

  constructor(...names: readonly string[]) {
    this.#names = names;
  }

  /** The values in the order of the names, undefined where there is no such line. Throws MalformedError. */
  parse(text: KernelText): readonly (bigint | undefined)[] {
    return (this.#places && this.#parseAt(this.#places, text)) ?? this.#parseAll(text);
  }

  /** The values by looking where they were; undefined when one is not there. */
  #parseAt(places: readonly Place[], text: KernelText): readonly (bigint | undefined)[] | undefined {
    const values: (bigint | undefined)[] = this.#names.map(() => undefined);
    let from = 0;
    let line = 0;
    for (const { name, index, line: wanted } of places) {
      for (; line < wanted; line += 1) from = text.endOfLine(from) + 1;
      const gap = from + name.length;
      if (!text.has(name, from) || text.at(gap) !== space) return undefined;
      from = text.endOfLine(gap);
      values[index] = countBetween(text, gap + 1, from);
    }
    return values;
  }

  #parseAll(text: KernelText): readonly (bigint | undefined)[] {
    const values: (bigint | undefined)[] = this.#names.map(() => undefined);
    const places: Place[] = [];
    eachLine(text, (from, gap, to, line) => {
      const index = this.#names.findIndex((name) => name.length === gap - from && text.has(name, from));
      if (index < 0) return;
      values[index] = countBetween(text, gap + 1, to);
      places.push({ name: this.#names[index] ?? '', index, line });
    });
    this.#places = places.length === this.#names.length ? places : undefined;
    return values;
  }
}

interface Place {
  readonly name: string;
  /** Among the names. */
  readonly index: number;
  readonly line: number;
}

/** Parses all of a flat keyed file. Throws MalformedError. */
export function parseFlatKeyed(text: KernelText): Readonly<Record<string, bigint>> {
  const entries: [name: string, value: bigint][] = [];
  eachLine(text, (from, gap, to) => {
    entries.push([text.toString(from, gap), countBetween(text, gap + 1, to)]);
  });
  return Object.fromEntries(entries);
}

/** Visits the lines that hold something: where each begins, where its first space is, where it ends and which one it is. */
function eachLine(text: KernelText, visit: (from: number, gap: number, to: number, line: number) => void): void {
  let line = 0;
  for (let from = 0; from < text.length;) {
    const gap = endOfWord(text, from);
    const to = text.endOfLine(gap);
    if (to > from) {
      if (gap === from || gap === to) throw malformed('a "name value" line', text, from, to);
      visit(from, gap, to, line);
    }
    from = to + 1;
    line += 1;
  }
}

/**
 * Some pairs of a nested keyed file such as `io.stat`: on each line a name, then `key=value` pairs. Values that are no counts
 * (io.latency's `depth=max`) are left out. Kernel: cgroup-v2.rst, "Nested keyed".
 */
export class WantedPairs {
  readonly #keys: readonly string[];

  constructor(...keys: readonly string[]) {
    this.#keys = keys;
  }

  /** Of each line its name and the values in the order of the keys. Throws MalformedError. */
  parse(text: KernelText): readonly NamedValues[] {
    const found: NamedValues[] = [];
    for (let from = 0; from < text.length;) {
      const to = text.endOfLine(from);
      if (to > from) found.push(this.#parseLine(text, from, to));
      from = to + 1;
    }
    return found;
  }

  #parseLine(text: KernelText, from: number, to: number): NamedValues {
    const gap = endOfWord(text, from);
    const name = text.toString(from, gap);
    if (name === '' || name.includes('=')) throw malformed('a "name key=value" line', text, from, to);
    const values: (bigint | undefined)[] = this.#keys.map(() => undefined);
    for (let begin = gap + 1; begin < to;) {
      const end = endOfWord(text, begin);
      if (end > begin) this.#parsePair(text, begin, end, values);
      begin = end + 1;
    }
    return { name, values };
  }

  #parsePair(text: KernelText, from: number, to: number, values: (bigint | undefined)[]): void {
    let sign = from;
    while (sign < to && text.at(sign) !== equals) sign += 1;
    if (sign === from || sign === to) throw malformed('a "key=value" pair', text, from, to);
    const wanted = this.#keys.findIndex((key) => key.length === sign - from && text.has(key, from));
    if (wanted >= 0 && isCount(text, sign + 1, to)) values[wanted] = countBetween(text, sign + 1, to);
  }
}

/** A line of a nested keyed file; a value that it does not have is undefined. */
export interface NamedValues {
  readonly name: string;
  readonly values: readonly (bigint | undefined)[];
}

/** Where the word ends that begins there: at a space, at its line's end or at the text's. */
export function endOfWord(text: KernelText, from: number): number {
  let end = from;
  for (let byte = text.at(end); byte !== space && byte !== newline && end < text.length; byte = text.at(end)) end += 1;
  return end;
}

/** Without the newline at its end. */
function endOfText(text: KernelText): number {
  const last = text.length - 1;
  return text.at(last) === newline ? last : text.length;
}

function isCount(text: KernelText, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (text.at(at) < zero || text.at(at) > nine) return false;
  return to > from;
}

/** What is to be thrown of a text that is not what it should be. */
export function malformed(expected: string, text: KernelText, from: number, to: number): MalformedError {
  return new MalformedError(`not ${expected}: ${text.toString(from, Math.min(to, from + 100))}`);
}
