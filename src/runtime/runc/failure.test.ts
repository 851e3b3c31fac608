import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../../../test/support/thrown.ts';
import { lastError } from './failure.ts';

describe('lastError', () => {
  it('is the last error of the log, whatever comes after it', () => {
    const log = [
      '{"level":"error","msg":"first","time":"t"}',
      '{"level":"fatal","msg":"runc create failed: no such file","time":"t"}',
      '{"level":"warning","msg":"and a warning","time":"t"}',
      'plain text of another program',
      '{"level":"error","ms',
    ].join('\n');
    expect(lastError(log)).toBe('runc create failed: no such file');
  });

  it('is nothing where there is none', () => {
    expect(lastError('')).toBeUndefined();
    expect(lastError('{"level":"error","msg":""}\nnull\n7\n')).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(thrownBy(() => lastError(text))).toBeUndefined();
      }),
    );
  });
});
