import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlineExceededError } from '#errors/errors.ts';
import { abortable, withDeadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('withDeadline', () => {
  it('aborts when its time is over and says what took so long', () => {
    using deadline = withDeadline(undefined, 50, 'the pull');
    vi.advanceTimersByTime(49);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.signal.reason).toEqual(new DeadlineExceededError('the pull took longer than 50 ms'));
  });

  it('follows its parent, also one that has aborted before', () => {
    const parent = new AbortController();
    using deadline = withDeadline(parent.signal, 50);
    parent.abort(new Error('gone'));
    expect(deadline.signal.reason).toEqual(new Error('gone'));
    using late = withDeadline(parent.signal, 50);
    expect(late.signal.reason).toEqual(new Error('gone'));
  });

  it('lets go of parent and timer when it is disposed of', () => {
    const parent = new AbortController();
    const deadline = withDeadline(parent.signal, 50);
    deadline[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
    parent.abort();
    expect(deadline.signal.aborted).toBe(false);
  });
});

describe('abortable', () => {
  it('ends with the promise where nobody aborts', async () => {
    expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
    expect(await abortable(Promise.resolve(2), new AbortController().signal)).toBe(2);
    await expect(abortable(Promise.reject(new Error('no')), new AbortController().signal)).rejects.toThrow('no');
  });

  it('rejects with the reason as soon as the signal aborts', async () => {
    const caller = new AbortController();
    const waiting = abortable(new Promise(() => {}), caller.signal);
    caller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(abortable(new Promise(() => {}), caller.signal)).rejects.toThrow('enough');
  });
});
