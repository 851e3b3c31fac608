import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captured, HeadTail } from './head-tail.ts';

const limit = 32_768;

function streamOf(...pieces: readonly (string | Uint8Array)[]): HeadTail {
  const stream = new HeadTail();
  for (const piece of pieces) stream.add(Buffer.from(piece));
  return stream;
}

describe('captured output', () => {
  it('is whole when it is short, both streams together', () => {
    const stdout = streamOf('a'.repeat(30_000), 'b');
    expect(captured(stdout, streamOf('oops'))).toEqual({
      ...{ stdout: `${'a'.repeat(30_000)}b`, stderr: 'oops', truncated: false },
    });
  });

  it('keeps the beginning and the end of what is long', () => {
    const { stdout, stderr, truncated } = captured(streamOf('first\n', 'x'.repeat(100_000), '\nlast'), streamOf('e'));
    expect(stdout).toMatch(/^first\nx+\n\[\.\.\. output left out \.\.\.\]\nx+\nlast$/);
    expect([stderr, truncated]).toEqual(['e', true]);
    expect(Buffer.byteLength(stdout)).toBeGreaterThan(32_000);
  });

  it('puts U+FFFD where there is no UTF-8 and cuts no character', () => {
    expect(captured(streamOf(Buffer.from([0x61, 0xff, 0x62])), streamOf()).stdout).toBe('a\uFFFDb');
    const { stdout } = captured(streamOf('€'.repeat(20_000)), streamOf());
    expect(stdout).not.toContain('\uFFFD');
    expect(captured(streamOf(Buffer.from([0xe2, 0x82]), Buffer.from([0xac])), streamOf()).stdout).toBe('€');
  });

  it('never takes more than 32 KiB, whatever is written in whatever pieces', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20_000 }),
      fc.nat(50_000).map((length) => Buffer.alloc(length, 0xff)),
      fc.nat(20_000).map((length) => Buffer.from('é'.repeat(length))),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), fc.array(piece, { maxLength: 5 }), (out, err) => {
        const { stdout, stderr, truncated } = captured(streamOf(...out), streamOf(...err));
        expect(Buffer.byteLength(stdout) + Buffer.byteLength(stderr)).toBeLessThanOrEqual(limit);
        const whole = Buffer.concat(out).toString();
        expect(truncated || stdout === whole).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
