import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import { parseSignal, signalName } from './signal.ts';

describe('parseSignal', () => {
  it('knows every name that this machine knows', () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      if (name === 'SIGUNUSED' || number === undefined) continue;
      expect(parseSignal(name), `signal ${name}`).toBe(number);
    }
  });

  it('takes names in any case, with and without SIG, and numbers', () => {
    expect(['TERM', 'SIGTERM', 'sigterm', ' term ', '15'].map(parseSignal)).toEqual([15, 15, 15, 15, 15]);
  });

  it('counts real-time signals from both ends', () => {
    expect(['RTMIN', 'SIGRTMIN+3', 'RTMAX', 'sigrtmax-1'].map(parseSignal)).toEqual([34, 37, 64, 63]);
  });

  it.each(['', '0', '65', '-1', '1.5', 'SIGNOTHING', 'RTMIN+31', 'RTMAX+1', 'RTMIN-1', 'toString', '999'])(
    'refuses %j',
    (text) => {
      expect(() => parseSignal(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe('signalName', () => {
  it('is understood again', () => {
    for (let signal = 1; signal <= 64; signal += 1) expect(parseSignal(signalName(signal))).toBe(signal);
  });
});
