import { describe, expect, it } from 'vitest';
import { CancelledError } from '#errors/errors.ts';
import { Mutex } from './mutex.ts';

describe('Mutex', () => {
  it('lets one in at a time, in the order of asking', async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const step = (name: string) =>
      mutex.run(async () => {
        order.push(`${name} in`);
        await Promise.resolve();
        order.push(`${name} out`);
      });
    await Promise.all([step('a'), step('b'), step('c')]);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expect(mutex.held).toBe(false);
  });

  it('goes on to the next after a failure', async () => {
    const mutex = new Mutex();
    const failing = mutex.run(() => Promise.reject(new Error('no')));
    const next = mutex.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('lets who waits give up, and the others keep their turn', async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    const caller = new AbortController();
    const gaveUp = mutex.acquire(caller.signal);
    const third = mutex.acquire();
    caller.abort();
    await expect(gaveUp).rejects.toThrow(CancelledError);
    first[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    expect(mutex.held).toBe(false);
  });

  it('refuses who has given up before asking', async () => {
    await expect(new Mutex().acquire(AbortSignal.abort())).rejects.toThrow(CancelledError);
  });

  it('can be given back twice', async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    const second = mutex.acquire();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await second;
    expect(mutex.held).toBe(true);
  });
});
