import { describe, expect, it } from 'vitest';
import { Rollback } from './rollback.ts';

describe('Rollback', () => {
  it('undoes last first, when a block is left before it keeps', async () => {
    const undone: number[] = [];
    {
      await using undo = new Rollback();
      for (const step of [1, 2, 3]) undo.add(() => void undone.push(step));
    }
    expect(undone).toEqual([3, 2, 1]);
  });

  it('undoes nothing once it has worked', async () => {
    const undone: number[] = [];
    {
      await using undo = new Rollback();
      undo.add(() => void undone.push(1));
      undo.keep();
    }
    expect(undone).toEqual([]);
  });

  it('tries every step and tells of all that failed', async () => {
    const undone: number[] = [];
    const undo = new Rollback();
    undo.add(() => void undone.push(1));
    undo.add(() => Promise.reject(new Error('two')));
    undo.add(() => {
      throw new Error('three');
    });
    const failure = await undo[Symbol.asyncDispose]().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(undone).toEqual([1]);
    expect(failure).toBeInstanceOf(AggregateError);
    expect((failure as AggregateError).errors).toEqual([new Error('three'), new Error('two')]);
  });

  it('undoes once only', async () => {
    let undone = 0;
    const undo = new Rollback();
    undo.add(() => void (undone += 1));
    await undo[Symbol.asyncDispose]();
    await undo[Symbol.asyncDispose]();
    expect(undone).toBe(1);
  });
});
