import { assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCriLine } from './cri-line.ts';

const parse = (text: string) => parseCriLine(Buffer.from(text));
const time = '2026-11-28T21:19:13.123456789+00:00';

describe('parseCriLine', () => {
  it('reads a whole line and gives it its end back', () => {
    expect(parse(`${time} stdout F hello  world`)).toEqual({
      time,
      stream: 'stdout',
      data: Buffer.from('hello  world\n'),
    });
  });

  it('reads a part of a longer line, which has no end', () => {
    expect(parse(`${time} stderr P half`)).toMatchObject({ stream: 'stderr', data: Buffer.from('half') });
  });

  it('reads an empty line, with or without the space before it', () => {
    expect(parse(`${time} stdout F `)?.data).toEqual(Buffer.from('\n'));
    expect(parse(`${time} stdout F`)?.data).toEqual(Buffer.from('\n'));
  });

  it.each(['', 'x', `${time} stdin F a`, `${time} stdout X a`, `${time} stdout FF a`, ' stdout F a'])(
    'knows that %j is no entry',
    (text) => expect(parse(text)).toBeUndefined(),
  );

  it('gives bytes as they were written, whatever they are', () => {
    assert(
      property(uint8Array(), (bytes) => {
        const line = parseCriLine(Buffer.concat([Buffer.from(`${time} stdout P `), bytes]));
        expect(Buffer.from(line?.data ?? [])).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('returns on any bytes', () => {
    assert(
      property(uint8Array(), (bytes) => {
        expect(['undefined', 'object']).toContain(typeof parseCriLine(Buffer.from(bytes)));
      }),
    );
  });
});
