import { MalformedError } from '#errors/errors.ts';
import type { Limit } from './stats.ts';

/** Up to here a decimal text is a safe integer, which becomes a bigint faster than the text does. */
const safeDigits = 15;

/** Parses one decimal count of any size. Throws MalformedError. */
export function parseCount(text: string): bigint {
  return parseDigits(text.trim());
}

/** The same of a text without white space around it. */
function parseDigits(text: string): bigint {
  const { length } = text;
  if (length === 0 || length > 20) throw new MalformedError(`not a count: ${text.slice(0, 100)}`);
  let value = 0;
  for (let at = 0; at < length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) throw new MalformedError(`not a count: ${text.slice(0, 100)}`);
    value = value * 10 + digit;
  }
  return BigInt(length <= safeDigits ? value : text);
}

/** Parses a v2 limit: a count or `max`. Throws MalformedError. */
export function parseLimit(text: string): Limit {
  return text.trim() === 'max' ? 'unlimited' : parseCount(text);
}

/**
 * Parses a v1 memory limit, where no limit is the largest multiple of the page size below 2^63. Throws MalformedError.
 */
export function parseV1MemoryLimit(text: string): Limit {
  const bytes = parseCount(text);
  return bytes >= unlimitedV1Bytes ? 'unlimited' : bytes;
}

/** 2^63 less one page of 64 KiB, the largest that Linux has. */
const unlimitedV1Bytes = 2n ** 63n - 65_536n;

/** Parses a v1 quota: microseconds a period, -1 for none. Throws MalformedError. */
export function parseV1Quota(text: string): Limit {
  return text.trim() === '-1' ? 'unlimited' : parseCount(text);
}

/**
 * Parses a flat keyed file such as `memory.stat`, `name value` on each line; with `wanted` only those names are kept.
 * Throws MalformedError. Kernel: cgroup-v2.rst, "Flat keyed".
 */
export function parseFlatKeyed(text: string, wanted?: ReadonlySet<string>): ReadonlyMap<string, bigint> {
  const entries = new Map<string, bigint>();
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    if (end > from) {
      const space = text.indexOf(' ', from);
      if (space <= from || space >= end)
        throw new MalformedError(`not a "name value" line: ${text.slice(from, from + 100)}`);
      const name = text.slice(from, space);
      if (!wanted || wanted.has(name)) entries.set(name, parseDigits(text.slice(space + 1, end)));
    }
    from = end + 1;
  }
  return entries;
}

/** The same as an object, for files whose names are few. */
export function parseCounts(text: string): Readonly<Record<string, bigint>> {
  return Object.fromEntries(parseFlatKeyed(text));
}

/** Parses `cpu.max`, `quota period`, both microseconds. Throws MalformedError. */
export function parseCpuMax(text: string): { readonly quotaUsec: Limit; readonly periodUsec: bigint } {
  const [quota, period, ...rest] = text.trim().split(' ');
  if (!quota || !period || rest.length > 0) throw new MalformedError(`not "quota period": ${text.slice(0, 100)}`);
  return { quotaUsec: parseLimit(quota), periodUsec: parseCount(period) };
}

/**
 * Parses a nested keyed file such as `io.stat`: on each line a name, then `key=value` pairs. Values that are no counts
 * (io.latency's `depth=max`) are left out. Throws MalformedError. Kernel: cgroup-v2.rst, "Nested keyed".
 */
export function parseNestedKeyed(
  text: string,
): readonly (readonly [name: string, values: ReadonlyMap<string, bigint>])[] {
  return lines(text).map((line) => {
    const [name = '', ...pairs] = line.split(' ').filter(Boolean);
    if (name === '' || name.includes('='))
      throw new MalformedError(`not a "name key=value" line: ${line.slice(0, 100)}`);
    const values = new Map<string, bigint>();
    for (const pair of pairs) {
      const equals = pair.indexOf('=');
      if (equals <= 0) throw new MalformedError(`not a "key=value" pair: ${pair.slice(0, 100)}`);
      if (isCount(pair, equals + 1)) values.set(pair.slice(0, equals), parseDigits(pair.slice(equals + 1)));
    }
    return [name, values];
  });
}

/** Lines that hold something. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function isCount(text: string, from: number): boolean {
  const first = text.charCodeAt(from);
  return first >= 48 && first <= 57 && !text.includes('.', from);
}
