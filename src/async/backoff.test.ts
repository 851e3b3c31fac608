import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { backoffMs, retry, type BackoffPolicy } from './backoff.ts';

const policy: BackoffPolicy = { firstMs: 100, factor: 2, capMs: 1000, jitter: 0 };

describe('backoffMs', () => {
  it('doubles from the first wait up to the cap', () => {
    const waits = [1, 2, 3, 4, 5, 100].map((failures) => backoffMs(policy, failures, () => 0));
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it('does not wait where nothing has failed', () => {
    expect(backoffMs(policy, 0, () => 0)).toBe(0);
  });

  it('takes at most its share of jitter off', () => {
    const shaky = { ...policy, jitter: 0.5 };
    expect(backoffMs(shaky, 2, () => 0)).toBe(200);
    expect(backoffMs(shaky, 2, () => 1)).toBe(100);
  });
});

describe('retry', () => {
  it('waits between attempts and returns what the first good one gave', async () => {
    const clock = new ManualClock();
    const attempts: number[] = [];
    const done = retry(
      (attempt) => {
        attempts.push(attempt);
        return attempt < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve('good');
      },
      { clock, policy, retryable: () => true, attempts: 5 },
    );
    await settle();
    clock.advance(99);
    await settle();
    expect(attempts).toEqual([1]);
    clock.advance(1);
    await settle();
    clock.advance(200);
    expect(await done).toBe('good');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('throws the last failure when its attempts are used up', async () => {
    const clock = new ManualClock();
    const done = retry(failing, { clock, policy, retryable: () => true, attempts: 2 });
    await settle();
    clock.advance(100);
    await expect(done).rejects.toThrow('no');
  });

  it('does not try again what will not get better', async () => {
    let calls = 0;
    const work = () => {
      calls += 1;
      return Promise.reject(new Error('never'));
    };
    const clock = new ManualClock();
    await expect(retry(work, { clock, policy, retryable: () => false, attempts: 9 })).rejects.toThrow('never');
    expect(calls).toBe(1);
  });

  it('gives up its wait when the caller does', async () => {
    const clock = new ManualClock();
    const caller = new AbortController();
    const done = retry(failing, { clock, policy, signal: caller.signal, retryable: () => true, attempts: 9 });
    await settle();
    caller.abort(new Error('enough'));
    await expect(done).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });
});

const failing = () => Promise.reject(new Error('no'));

/** Lets promises that are settled already run on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}
