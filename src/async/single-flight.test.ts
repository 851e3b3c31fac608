import { describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.ts';

const failing = () => Promise.reject<number>(new Error('no'));

describe('SingleFlight', () => {
  it('runs overlapping calls of one key once, each key by itself', async () => {
    const flights = new SingleFlight<string, number>();
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const work = async () => {
      await gate.promise;
      runs += 1;
      return runs;
    };
    const calls = [flights.run('a', work), flights.run('a', work), flights.run('b', work)];
    gate.resolve();
    expect(await Promise.all(calls)).toEqual([1, 1, 2]);
    expect(await flights.run('a', work)).toBe(3);
  });

  it('shares a failure and forgets it', async () => {
    const flights = new SingleFlight<string, number>();
    const calls = [flights.run('a', failing), flights.run('a', failing)];
    for (const call of calls) await expect(call).rejects.toThrow('no');
    expect(await flights.run('a', () => Promise.resolve(1))).toBe(1);
  });
});
