import { describe, expect, it } from 'vitest';
import { planRemoval } from './garbage.ts';
import type { ImageRecord } from './records.ts';

const record = (name: string, pulledAtMs: number): ImageRecord => ({
  ...{
    reference: name,
    digest: 'sha256:d',
    imageId: `sha256:${name}`,
    config: {},
    sizeBytes: 1,
    pulledAtMs,
    blobs: [],
  },
});

function plan(options: {
  layers?: string[];
  named?: string[];
  used?: Record<string, number>;
  since: number;
}): string[] {
  const records = [record('old', 10), record('new', 100)];
  const usage = {
    imageIds: new Set(options.layers?.map((name) => `sha256:${name}`)),
    references: new Set(options.named),
    lastUsedMs: (imageId: string) => options.used?.[imageId.slice('sha256:'.length)] ?? 0,
  };
  return planRemoval(records, usage, options.since).map(({ reference }) => reference);
}

describe('images that may go', () => {
  it('have been neither used nor pulled since a moment', () => {
    expect(plan({ since: 9 })).toEqual([]);
    expect(plan({ since: 50 })).toEqual(['old']);
    expect(plan({ since: 50, used: { old: 60 } })).toEqual([]);
    expect(plan({ since: Number.POSITIVE_INFINITY })).toEqual(['old', 'new']);
  });

  it('are in no layer and named by nobody', () => {
    expect(plan({ since: 1000, layers: ['old'] })).toEqual(['new']);
    expect(plan({ since: 1000, named: ['new'] })).toEqual(['old']);
  });
});
