import { expect, it } from 'vitest';
import { KeyLocks } from './key-locks.ts';

it('runs work on one key in turn, on others at once, and forgets keys that nobody uses', async () => {
  const locks = new KeyLocks<string>();
  const gate = Promise.withResolvers<void>();
  const steps: string[] = [];
  const first = locks.run('a', async () => {
    await gate.promise;
    steps.push('first');
  });
  const second = locks.run('a', () => Promise.resolve(steps.push('second')));
  await locks.run('b', () => Promise.resolve(steps.push('other')));
  expect(steps).toEqual(['other']);
  gate.resolve();
  await Promise.all([first, second]);
  expect(steps).toEqual(['other', 'first', 'second']);
  expect(locks.size).toBe(0);
});

it('gives the lock back when the work fails', async () => {
  const locks = new KeyLocks<string>();
  await expect(locks.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await locks.run('a', () => Promise.resolve(1))).toBe(1);
});
