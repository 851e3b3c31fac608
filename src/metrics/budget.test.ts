import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeBudget } from './budget.ts';
import { Exposition } from './exposition.ts';

const captured = join(import.meta.dirname, '../../test/fixtures/cgroup-v2/linux-6.1-calm');

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'runlet-test-')), 'group');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

function written(budget: NodeBudget): readonly string[] {
  const out = new Exposition('text');
  budget.write(out);
  return out
    .end()
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

describe('the budget of a node', () => {
  it('is what its cgroup may use and what it uses', () => {
    cpSync(captured, folder, { recursive: true });
    using budget = new NodeBudget({ version: 2, dirs: folder });
    expect(written(budget)).toEqual(
      expect.arrayContaining([
        'runlet_node_budget_memory_limit_bytes 67108864',
        'runlet_node_budget_cpu_weight 100',
        'runlet_node_budget_pids 1',
        'runlet_node_budget_pids_limit 50',
      ]),
    );
    writeFileSync(join(folder, 'pids.max'), 'max\n');
    expect(written(budget)).toContain('runlet_node_budget_pids_limit +Inf');
  });

  it('is not told without a cgroup, and again once it is there', () => {
    using budget = new NodeBudget({ version: 2, dirs: folder });
    expect(written(budget)).toEqual([]);
    cpSync(captured, folder, { recursive: true });
    expect(written(budget)).toContain('runlet_node_budget_pids 1');
  });
});
