import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { isNothingOr, thrownBy } from '../../../test/support/thrown.ts';
import { parseSync } from './sync.ts';

describe('parseSync', () => {
  it('reads pids, failures and exit codes, one a line', () => {
    expect(parseSync('{"data": 42}\n{"data": -1, "message": "no such file"}\n{"data":0}\n')).toEqual([
      { data: 42 },
      { data: -1, message: 'no such file' },
      { data: 0 },
    ]);
  });

  it('leaves a line that is still being written for later', () => {
    expect(parseSync('')).toEqual([]);
    expect(parseSync('{"data": 4')).toEqual([]);
    expect(parseSync('{"data": 4}\n{"da')).toEqual([{ data: 4 }]);
  });

  it.each(['nonsense\n', '{"pid": 4}\n', '{"data": "4"}\n', '[]\n', 'null\n'])('refuses %j', (text) => {
    expect(() => parseSync(text)).toThrow(MalformedError);
  });

  it('returns or throws its own error on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(thrownBy(() => parseSync(text))).toSatisfy(isNothingOr(MalformedError));
      }),
    );
  });
});
