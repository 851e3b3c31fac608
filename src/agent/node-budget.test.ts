import { describe, expect, it } from 'vitest';
import { planLimits } from '#cgroup/limits.ts';
import { budgetLimits, sharesOfWeight } from './node-budget.ts';

const none = { budgetMemory: undefined, budgetCpuWeight: undefined, budgetPids: undefined };

describe('the budget of all tasks', () => {
  it('is no limit where nothing is asked for', () => {
    const writes = planLimits(budgetLimits(none), 2).map(({ files, text }) => `${files[0]} ${text}`);
    expect(writes).toEqual(expect.arrayContaining(['memory.max max', 'pids.max max']));
  });

  it('limits memory, processor time and processes', () => {
    const budget = { budgetMemory: 1024 ** 3, budgetCpuWeight: 200, budgetPids: 500 };
    const writes = planLimits(budgetLimits(budget), 1).map(({ files, text }) => `${files[0]} ${text}`);
    expect(writes).toEqual(
      expect.arrayContaining(['memory.limit_in_bytes 1073741824', `cpu.shares ${sharesOfWeight(200)}`, 'pids.max 500']),
    );
  });

  it.each([1, 39, 100, 200, 10_000])('keeps a weight of %i on its way through shares', (weight) => {
    const back = 1 + Math.floor(((sharesOfWeight(weight) - 2) * 9999) / 262_142);
    expect(back).toBe(weight === 100 ? 39 : weight);
  });
});
