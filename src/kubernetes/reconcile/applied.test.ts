import { describe, expect, it } from 'vitest';
import { limitsDiffer, readApplied } from './applied.ts';

const stats = {
  version: 2 as const,
  cpu: { usageUsec: 1n, quotaUsec: 50_000n, periodUsec: 100_000n },
  memory: { usageBytes: 1n, limitBytes: 67_108_864n },
  pids: { current: 1n, limit: 100n },
};
const none = {
  version: 2 as const,
  cpu: { usageUsec: 1n, quotaUsec: 'unlimited' as const, periodUsec: 100_000n },
  memory: { usageBytes: 1n, limitBytes: 'unlimited' as const },
  pids: { current: 1n, limit: 'unlimited' as const },
};

describe('readApplied', () => {
  it('writes limits as a NodeTask does', () => {
    expect(readApplied(stats, null)).toEqual({ limits: { cpu: '500m', memory: '64Mi', pids: '100' } });
  });

  it('leaves out what is unlimited, v1’s largest number too', () => {
    expect(readApplied(none, null)).toEqual({});
    expect(readApplied({ version: 1, memory: { usageBytes: 1n, limitBytes: 2n ** 63n - 4096n } }, null)).toEqual({});
  });

  it('repeats what cannot be read back', () => {
    const asked = { requests: { cpu: '100m' }, memoryHigh: '1Gi', io: { weight: 10 } };
    expect(readApplied(none, asked)).toEqual({ requests: { cpu: '100m' }, memoryHigh: '1Gi', io: { weight: 10 } });
  });
});

describe('limitsDiffer', () => {
  const wanted = { cpu: { quota: 50_000 }, memory: { limit: 67_108_864 }, pids: { limit: 100 } };

  it('is false where the kernel has what was asked, rounded down to pages', () => {
    expect(limitsDiffer(wanted, stats)).toBe(false);
    expect(limitsDiffer({ ...wanted, memory: { limit: 67_108_865 } }, stats)).toBe(false);
    expect(limitsDiffer({ cpu: { quota: -1 }, memory: { limit: -1 }, pids: { limit: -1 } }, none)).toBe(false);
  });

  it.each([
    [{ ...wanted, cpu: { quota: 60_000 } }],
    [{ ...wanted, memory: { limit: -1 } }],
    [{ ...wanted, pids: { limit: 99 } }],
  ])('is true where somebody else has set %j', (other) => {
    expect(limitsDiffer(other, stats)).toBe(true);
  });

  it('says nothing of what cannot be read or was not asked for', () => {
    expect(limitsDiffer(wanted, { version: 2 })).toBe(false);
    expect(limitsDiffer({}, stats)).toBe(false);
  });
});
