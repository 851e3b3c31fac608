import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonLines } from './json-lines.ts';

async function* pieces(...texts: readonly (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text as string));
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of readJsonLines(stream)) values.push(value);
  return values;
}

describe('readJsonLines', () => {
  it('reads the same values however the stream is cut into pieces', async () => {
    const story = fc.tuple(
      fc.array(fc.json({ maxDepth: 2 }), { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(story, async ([values, cuts]) => {
        const bytes = Buffer.from(values.map((value) => `${value}\n`).join(''));
        const places = [0, ...cuts.filter((at) => at < bytes.length).toSorted((a, b) => a - b), bytes.length];
        const cut = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(await read(pieces(...cut))).toEqual(values.map((value) => JSON.parse(value) as unknown));
      }),
    );
  });

  it('drops a last line that is cut', async () => {
    expect(await read(pieces('{"a":1}\n{"b":'))).toEqual([{ a: 1 }]);
  });

  it('refuses a line that is not JSON, and one without end', async () => {
    await expect(read(pieces('{"a":1}\nno\n'))).rejects.toThrow('an event is not JSON');
    const mebibyte = 'x'.repeat(2 ** 20);
    await expect(read(pieces(...Array.from({ length: 9 }, () => mebibyte)))).rejects.toThrow('is longer than');
  });
});
