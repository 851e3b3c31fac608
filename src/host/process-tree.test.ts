import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { descendants, endTree } from './process-tree.ts';
import { identify, isAlive } from './process.ts';

/** A shell with a shell with a sleep below it. */
async function family(): Promise<readonly number[]> {
  const top = spawn('/bin/sh', ['-c', "sh -c 'sleep 1000 & echo ready; wait' & wait"], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(top.stdout, 'data');
  return [top.pid!, ...descendants(top.pid!)];
}

describe('endTree', () => {
  it('ends a process with its children and theirs', async () => {
    const pids = await family();
    expect(pids).toHaveLength(3);
    const identities = pids.map((pid) => identify(pid)!);
    endTree(identities[0]!);
    for (const end = performance.now() + 30_000; identities.some(isAlive) && performance.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(identities.filter(isAlive)).toEqual([]);
    endTree(identities[0]!);
  });

  it('does not touch who has its pid now', async () => {
    const pids = await family();
    endTree({ ...identify(pids[0]!)!, startTime: '1' });
    const identities = pids.map((pid) => identify(pid)!);
    expect(identities.every(isAlive)).toBe(true);
    endTree(identities[0]!);
  });
});
