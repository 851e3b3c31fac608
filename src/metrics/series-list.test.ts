import { describe, expect, it } from 'vitest';
import { Exposition } from './exposition.ts';
import type { Value } from './row.ts';
import { SeriesList } from './series-list.ts';

const head = { name: 'a_total', help: 'A.', type: 'counter' };

function written(list: SeriesList): string {
  const out = new Exposition('text');
  list.write(out);
  return out.end().toString();
}

describe('a list of series', () => {
  it('keeps every value exactly, in the order in which it was given', () => {
    const list = new SeriesList(head, Buffer.from('a_total'));
    const values: readonly (readonly [Value, string])[] = [
      [1n, '1'],
      [2n ** 53n - 1n, '9007199254740991'],
      [2n ** 53n + 1n, '9007199254740993'],
      [2n ** 64n - 1n, '18446744073709551615'],
      [0.25, '0.25'],
      ['unlimited', '+Inf'],
      [7, '7'],
    ];
    for (const [value] of values) list.push(Buffer.from('{task="t"'), Buffer.from('} '), value);
    const lines = values.map(([, text]) => `a_total{task="t"} ${text}\n`);
    expect(written(list)).toBe(`# HELP a_total A.\n# TYPE a_total counter\n${lines.join('')}`);
    expect(written(list)).toBe(written(list));
  });

  it('has no head without series', () => {
    expect(written(new SeriesList(head, Buffer.from('a_total')))).toBe('');
  });
});
