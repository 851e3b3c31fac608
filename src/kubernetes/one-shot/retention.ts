/** How much of checkpoints a node keeps. */
export interface RetentionLimits {
  readonly maxCount: number;
  /** Bytes of all of them on the disk. */
  readonly maxBytes: number;
  /** How long each is kept from its end, milliseconds; 0: for ever. */
  readonly keepMs: number;
}

/** A checkpoint whose data are on the node. */
export interface KeptCheckpoint {
  readonly uid: string;
  readonly finishedAtMs: number;
  readonly sizeBytes: number;
  /** Something is just being restored from it: it stays, whatever the limits say. */
  readonly inUse: boolean;
}

export interface Eviction {
  readonly uid: string;
  /** Which limit it had to go for, as the end of a sentence. */
  readonly why: string;
}

/**
 * Which checkpoints go: first those whose time is over, then the oldest until the rest is few and small enough. Those in use
 * count and stay. Pure.
 */
export function planEviction(
  kept: readonly KeptCheckpoint[],
  limits: RetentionLimits,
  nowMs: number,
): readonly Eviction[] {
  const { maxCount, maxBytes, keepMs } = limits;
  const oldestFirst = kept.toSorted((a, b) => a.finishedAtMs - b.finishedAtMs || (a.uid < b.uid ? -1 : 1));
  const evictions: Eviction[] = [];
  let count = kept.length;
  let bytes = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { uid, finishedAtMs, sizeBytes, inUse } of oldestFirst) {
    if (inUse) continue;
    const why =
      keepMs > 0 && finishedAtMs + keepMs <= nowMs
        ? `it is older than --checkpoint-keep (${keepMs / 1000} s)`
        : count > maxCount
          ? `this node keeps --checkpoint-max-count (${maxCount}), and others are newer`
          : bytes > maxBytes
            ? `this node keeps --checkpoint-max-size (${maxBytes} bytes) of them, and others are newer`
            : undefined;
    if (why === undefined) continue;
    evictions.push({ uid, why });
    count -= 1;
    bytes -= sizeBytes;
  }
  return evictions;
}

/** When the next one's time is over; undefined: never. Pure. */
export function nextEvictionMs(kept: readonly KeptCheckpoint[], { keepMs }: RetentionLimits): number | undefined {
  if (keepMs === 0 || kept.length === 0) return undefined;
  return Math.min(...kept.map(({ finishedAtMs }) => finishedAtMs + keepMs));
}
