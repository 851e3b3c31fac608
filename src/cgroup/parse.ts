import { MalformedError } from '#errors/errors.ts';
import type { Limit } from './stats.ts';

/** Parses one decimal count of any size. Throws MalformedError. */
export function parseCount(text: string): bigint {
  const trimmed = text.trim();
  if (!/^\d{1,20}$/.test(trimmed)) throw new MalformedError(`not a count: ${text.slice(0, 100)}`);
  return BigInt(trimmed);
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
  return text.trim().startsWith('-') ? 'unlimited' : parseCount(text);
}

/**
 * Parses a flat keyed file such as `memory.stat`, `name value` on each line. Throws MalformedError. Kernel:
 * cgroup-v2.rst, "Flat keyed".
 */
export function parseFlatKeyed(text: string): ReadonlyMap<string, bigint> {
  const entries = new Map<string, bigint>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [name, value, ...rest] = line.split(' ');
    if (!name || !value || rest.length > 0) throw new MalformedError(`not a "name value" line: ${line.slice(0, 100)}`);
    entries.set(name, parseCount(value));
  }
  return entries;
}

/** Parses `cpu.max`, `quota period`, both microseconds. Throws MalformedError. */
export function parseCpuMax(text: string): { readonly quotaUsec: Limit; readonly periodUsec: bigint } {
  const [quota, period, ...rest] = text.trim().split(' ');
  if (!quota || !period || rest.length > 0) throw new MalformedError(`not "quota period": ${text.slice(0, 100)}`);
  return { quotaUsec: parseLimit(quota), periodUsec: parseCount(period) };
}
