import { describe, expect, it } from 'vitest';
import { toLogChoice } from './log-choice.ts';

describe('which lines of a log are asked for', () => {
  it('has what the message names', () => {
    const asked = { follow: true, attempt: 2, sinceMs: 1_700_000_000_123n, tail: 0 };
    expect(toLogChoice(asked)).toEqual({ follow: true, attempt: 2, sinceMs: 1_700_000_000_123, tail: 0 });
  });

  it('has nothing of what it does not name', () => {
    expect(toLogChoice({ follow: false, sinceMs: 0n })).toEqual({ follow: false });
  });
});
