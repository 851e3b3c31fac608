import { assert, bigInt, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Exposition, formatLabel } from './exposition.ts';
import type { Value } from './row.ts';

function written(write: (out: Exposition) => void): string {
  const out = new Exposition('text');
  write(out);
  return out.end().toString();
}

describe('an exposition', () => {
  it.each<[Value, string]>([
    [0, '0'],
    [0n, '0'],
    [42n, '42'],
    [-7, '-7'],
    [9_007_199_254_740_993n, '9007199254740993'],
    [18_446_744_073_709_551_615n, '18446744073709551615'],
    [0.5, '0.5'],
    [1e-7, '1e-7'],
    ['unlimited', '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [Number.NaN, 'NaN'],
  ])('writes %s as %s', (value, text) => {
    expect(written((out) => out.value(value))).toBe(`${text}\n`);
  });

  it.each<[bigint, string]>([
    [0n, '0'],
    [1n, '0.000001'],
    [1_500_000n, '1.5'],
    [12_345_678n, '12.345678'],
    [3_000_000n, '3'],
  ])('writes %s microseconds as %s seconds', (value, text) => {
    expect(written((out) => out.microseconds(value))).toBe(`${text}\n`);
  });

  it('writes every count exactly', () => {
    assert(
      property(bigInt({ min: 0n, max: 2n ** 64n }), (value) => {
        expect(written((out) => out.value(value))).toBe(`${value}\n`);
      }),
    );
  });

  it('writes every time exactly', () => {
    assert(
      property(bigInt({ min: 0n, max: 2n ** 53n - 1n }), (usec) => {
        const [whole, fraction = ''] = written((out) => out.microseconds(usec))
          .trim()
          .split('.');
        expect(BigInt(`${whole}${fraction.padEnd(6, '0')}`)).toBe(usec);
      }),
    );
  });

  it('grows with what is written', () => {
    const out = new Exposition('text');
    for (let line = 0; line < 20_000; line += 1) out.text(`line ${line}\n`);
    expect(out.end().toString().trimEnd().split('\n')).toHaveLength(20_000);
  });

  it('names a counter of OpenMetrics without its suffix and ends with a mark', () => {
    const out = new Exposition('openmetrics');
    out.family({ name: 'a_seconds_total', help: 'Says "a".\nOn two lines.', type: 'counter' });
    out.text('a_seconds_total 1\n');
    expect(out.end().toString()).toBe(
      '# HELP a_seconds Says \\"a\\".\\nOn two lines.\n# TYPE a_seconds counter\na_seconds_total 1\n# EOF\n',
    );
  });

  it('escapes labels', () => {
    expect(formatLabel('image', 'a"b\\c\nd')).toBe('image="a\\"b\\\\c\\nd"');
  });
});
