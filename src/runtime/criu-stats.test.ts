import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { isNothingOr, thrownBy } from '../../test/support/thrown.ts';
import { parseFrozenUsec } from './criu-stats.ts';

/** What a dump with criu 4.1.1 left on Linux 6.18: frozen for 17,394 µs. */
const captured = Buffer.from('4059105506330957160000000a1408fb0410f2870118c32120f51b28bb0730ba02', 'hex');

describe('parseFrozenUsec', () => {
  it('finds the time frozen in what criu wrote', () => {
    expect(parseFrozenUsec(captured)).toBe(17_394);
  });

  it('returns or throws its own error on any bytes, also behind the right marks', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (bytes, marked) => {
        const text = marked ? Buffer.concat([captured.subarray(0, 12), bytes]) : Buffer.from(bytes);
        expect(thrownBy(() => parseFrozenUsec(text))).toSatisfy(isNothingOr(MalformedError));
      }),
    );
  });
});
