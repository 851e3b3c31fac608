import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.ts';

const day = 24 * 60 * 60 * 1000;

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('calls after longer than a timer of Node can be', () => {
    let called = 0;
    systemClock.after(30 * day, () => (called += 1));
    vi.advanceTimersByTime(30 * day - 1);
    expect(called).toBe(0);
    vi.advanceTimersByTime(1);
    expect(called).toBe(1);
  });

  it('takes a call back, also in its second piece', () => {
    let called = 0;
    const cancel = systemClock.after(30 * day, () => (called += 1));
    vi.advanceTimersByTime(29 * day);
    cancel();
    vi.advanceTimersByTime(2 * day);
    expect(called).toBe(0);
  });

  it('calls at once what is due already', () => {
    let called = 0;
    systemClock.after(-5, () => (called += 1));
    vi.advanceTimersByTime(1);
    expect(called).toBe(1);
  });
});

describe('sleep', () => {
  it('rejects with the reason of its signal', async () => {
    const caller = new AbortController();
    const asleep = systemClock.sleep(day, caller.signal);
    caller.abort(new Error('enough'));
    await expect(asleep).rejects.toThrow('aborted');
  });
});
