import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelText } from './kernel-text.ts';

describe('a text of the kernel', () => {
  it('says where its lines end, the last one with or without a newline', () => {
    for (const [text, ends] of [
      ['ab\n\ncd\n', [2, 3, 6]],
      ['ab\n\ncd', [2, 3, 6]],
    ] as const) {
      const kernel = KernelText.of(text);
      const found: number[] = [];
      for (let from = 0; from < kernel.length; from = (found.at(-1) ?? 0) + 1) found.push(kernel.endOfLine(from));
      expect(found).toEqual(ends);
    }
  });

  it('knows the word that stands somewhere, and not beyond its end', () => {
    const text = KernelText.of('total_rss 1');
    expect([text.has('rss ', 6), text.has('rss', 5), text.has('1', 10), text.has('10', 10)]).toEqual([
      ...[true, false, true, false],
    ]);
    expect([text.at(10), text.at(11), text.length]).toEqual([49, 0, 11]);
  });

  it('is the same as a string', () => {
    assert(
      property(string({ unit: 'grapheme-ascii' }), (text) => {
        expect(KernelText.of(text).toString()).toBe(text);
      }),
    );
  });

  it('is undefined of a file that is not there', () => {
    expect(KernelText.readFile('/proc/self/no-such-file')).toBeUndefined();
    expect(KernelText.readFile('/proc/self/no-such-folder/file')).toBeUndefined();
  });
});
