import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextEvictionMs, planEviction, type KeptCheckpoint } from './retention.ts';

const kept = (uid: string, finishedAtMs: number, more: Partial<KeptCheckpoint> = {}): KeptCheckpoint => ({
  ...{ uid, finishedAtMs, sizeBytes: 10, inUse: false },
  ...more,
});
const wide = { maxCount: 100, maxBytes: 1e9, keepMs: 0 };
const four = [kept('c', 30), kept('a', 10), kept('d', 40), kept('b', 20)];

const evicted = (all: readonly KeptCheckpoint[], limits: Partial<typeof wide>, nowMs = 100) =>
  planEviction(all, { ...wide, ...limits }, nowMs).map(({ uid }) => uid);

describe('the retention of checkpoints', () => {
  it('evicts nothing that is within its limits', () => {
    expect(evicted(four, { maxCount: 4, maxBytes: 40 })).toEqual([]);
    expect(evicted([], { maxCount: 0 })).toEqual([]);
  });

  it('evicts the oldest until few and small enough are left', () => {
    expect(evicted(four, { maxCount: 2 })).toEqual(['a', 'b']);
    expect(evicted(four, { maxBytes: 25 })).toEqual(['a', 'b']);
    expect(evicted(four, { maxCount: 3, maxBytes: 10 })).toEqual(['a', 'b', 'c']);
  });

  it('evicts what is too old, to the millisecond', () => {
    expect(evicted(four, { keepMs: 80 }, 100)).toEqual(['a', 'b']);
    expect(evicted(four, { keepMs: 80 }, 99)).toEqual(['a']);
    expect(nextEvictionMs(four, { ...wide, keepMs: 80 })).toBe(90);
    expect(nextEvictionMs(four, wide)).toBeUndefined();
  });

  it('says which limit it was', () => {
    const [byAge, byCount] = planEviction(four, { ...wide, keepMs: 85, maxCount: 2 }, 100);
    expect(byAge?.why).toContain('--checkpoint-keep');
    expect(byCount?.why).toContain('--checkpoint-max-count (2)');
    expect(planEviction(four, { ...wide, maxBytes: 30 }, 100)[0]?.why).toContain('--checkpoint-max-size (30 bytes)');
  });

  it('never evicts what is in use, and then goes on to the next', () => {
    const used = four.map((one) => (one.uid === 'a' ? { ...one, inUse: true } : one));
    expect(evicted(used, { maxCount: 2, keepMs: 1 })).toEqual(['b', 'c', 'd']);
    expect(evicted(used, { maxCount: 3 })).toEqual(['b']);
  });

  it('keeps the limits whatever there is, and the newest as far as they allow', () => {
    const checkpoint = fc.record({
      uid: fc.uuid(),
      finishedAtMs: fc.nat(1000),
      sizeBytes: fc.nat(100),
      inUse: fc.boolean(),
    });
    const all = fc.uniqueArray(checkpoint, { selector: ({ uid }) => uid, maxLength: 12 });
    fc.assert(
      fc.property(all, fc.nat(12), fc.nat(600), fc.nat(500), (given, maxCount, maxBytes, keepMs) => {
        const gone = new Set(evicted(given, { maxCount, maxBytes, keepMs }, 1000));
        const left = given.filter(({ uid }) => !gone.has(uid));
        const free = left.filter(({ inUse }) => !inUse);
        const total = left.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        expect(given.filter(({ inUse, uid }) => inUse && gone.has(uid))).toEqual([]);
        expect(free.length === 0 || (left.length <= maxCount && total <= maxBytes)).toBe(true);
        expect(keepMs > 0 && free.some(({ finishedAtMs }) => finishedAtMs + keepMs <= 1000)).toBe(false);
      }),
    );
  });
});
