import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineReader, OutputEnd, OutputStart } from './output.ts';

describe('OutputStart', () => {
  it('keeps all that fits and says once when it is full', () => {
    let full = 0;
    const output = new OutputStart(5, () => (full += 1));
    for (const text of ['abc', 'de', 'f', 'g']) output.add(Buffer.from(text));
    expect(output.text()).toBe('abcde');
    expect(full).toBe(1);
  });
});

describe('OutputEnd', () => {
  it('is the end of all that came, in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{0,9}$/)), (pieces) => {
        const output = new OutputEnd(7);
        for (const piece of pieces) output.add(Buffer.from(piece));
        expect(output.text()).toBe(pieces.join('').slice(-7));
      }),
    );
  });
});

describe('LineReader', () => {
  it('finds the same lines however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[aé\n]{0,4}$/)), (pieces) => {
        const lines: string[] = [];
        const reader = new LineReader((line) => lines.push(line), 1000);
        for (const byte of Buffer.from(pieces.join(''))) reader.add(Buffer.from([byte]));
        reader.end();
        const whole = pieces.join('');
        expect(lines).toEqual(whole === '' ? [] : whole.replace(/\n$/, '').split('\n'));
      }),
    );
  });

  it('gives an endless line in parts', () => {
    const lines: string[] = [];
    const reader = new LineReader((line) => lines.push(line), 4);
    for (const text of ['abc', 'def', 'g\n']) reader.add(Buffer.from(text));
    expect(lines).toEqual(['abcdef', 'g']);
  });
});
