import { describe, expect, it } from 'vitest';
import { TaskGroup } from './task-group.ts';

describe('TaskGroup', () => {
  it('waits for all, also for what was spawned meanwhile', async () => {
    const done: string[] = [];
    const group = new TaskGroup(() => {});
    group.spawn(async () => {
      await Promise.resolve();
      group.spawn(async () => {
        await Promise.resolve();
        done.push('inner');
      });
      done.push('outer');
    });
    expect(group.size).toBe(1);
    await group[Symbol.asyncDispose]();
    expect(done).toEqual(['outer', 'inner']);
    expect(group.size).toBe(0);
  });

  it('gives failures to its handler and lets the others go on', async () => {
    const failures: unknown[] = [];
    let done = false;
    const group = new TaskGroup((error) => failures.push(error));
    group.spawn(() => Promise.reject(new Error('no')));
    group.spawn(() => {
      done = true;
      return Promise.resolve();
    });
    await group[Symbol.asyncDispose]();
    expect(failures).toEqual([new Error('no')]);
    expect(done).toBe(true);
  });
});
