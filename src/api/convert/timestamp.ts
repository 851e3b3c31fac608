import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';

/** Go's zero time, year 1: what containerd sends where something has not happened. */
export const zeroTime: Timestamp = { seconds: -62_135_596_800n, nanos: 0 };

/** Milliseconds since 1970 as protobuf's Timestamp; undefined is Go's zero time. */
export function toTimestamp(atMs: number | undefined): Timestamp {
  if (atMs === undefined) return zeroTime;
  const seconds = Math.floor(atMs / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((atMs - seconds * 1000) * 1e6) };
}

/** And back; the zero time and what is absent are undefined. */
export function fromTimestamp(at: Timestamp | undefined): number | undefined {
  if (!at || at.seconds === zeroTime.seconds) return undefined;
  return Number(at.seconds) * 1000 + at.nanos / 1e6;
}
