import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import type { Task } from '#task/task.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { MemoryRecords } from '../../../test/support/reconciling.ts';
import { CheckpointKeeper } from './checkpoint-keeper.ts';
import { checkpointPath, checkpointPlaces } from './checkpoint-folder.ts';
import { Journal } from './journal.ts';
import { succeeded, type OneShotRecord } from './record.ts';
import { readRequest } from './request.ts';
import { oneShotStatus } from './status.ts';

let root: string;
let clock: ManualClock;
let records: MemoryRecords<OneShotRecord>;
let restoring: string | undefined;
let evicted: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  clock = new ManualClock();
  records = new MemoryRecords();
  restoring = undefined;
  evicted = [];
});
afterEach(() => rmSync(root, { recursive: true }));

const folder = (uid: string) => join(root, checkpointPath({ namespace: 'team-a', uid }));
const there = () => ['a', 'b', 'c'].filter((uid) => existsSync(folder(uid)));

/** A checkpoint with data, as old as its letter comes early. */
async function checkpoint(uid: string, finishedAtMs: number, more: Partial<OneShotRecord> = {}): Promise<void> {
  mkdirSync(folder(uid), { recursive: true });
  writeFileSync(join(folder(uid), 'checkpoint.json'), '{}');
  await records.put(uid, {
    ...{ kind: 'NodeTaskCheckpoint', uid, namespace: 'team-a', name: `c-${uid}`, taskUID: 't', begunAtMs: 0 },
    outcome: { ...succeeded('dumped', { sizeBytes: 10 }), finishedAtMs },
    ...more,
  });
}

async function keeper(limits: Partial<{ maxCount: number; maxBytes: number; keepMs: number }>) {
  const journal = new Journal(records, clock);
  await journal.load();
  const tasks = {
    list: () =>
      restoring === undefined ? [] : [{ restoring: true, record: { restoreFrom: restoring } } as unknown as Task],
  };
  const made = new CheckpointKeeper({
    ...{ journal, tasks, root, clock, log: silentLog() },
    limits: { maxCount: 100, maxBytes: 1e9, keepMs: 0, ...limits },
    onEvicted: ({ uid }) => evicted.push(uid),
  });
  await made.recover();
  return { keeper: made, journal };
}

async function three(): Promise<void> {
  const now = clock.nowMs();
  await checkpoint('a', now - 3000);
  await checkpoint('b', now - 2000);
  await checkpoint('c', now - 1000);
}

describe('the keeper of checkpoints', () => {
  it('removes the oldest ones past the count and the size, and its journal says why', async () => {
    await three();
    const { keeper: first, journal } = await keeper({ maxCount: 2 });
    await first.look();
    expect([there(), evicted]).toEqual([['b', 'c'], ['a']]);
    expect(journal.get('a')?.evicted?.why).toContain('--checkpoint-max-count (2)');
    const { keeper: second } = await keeper({ maxBytes: 10 });
    await second.look();
    expect([there(), evicted]).toEqual([['c'], ['a', 'b']]);
    first[Symbol.dispose]();
    second[Symbol.dispose]();
  });

  it('removes one when its time is over, without being asked', async () => {
    await three();
    const { keeper: made } = await keeper({ keepMs: 2500 });
    await made.look();
    expect(there()).toEqual(['b', 'c']);
    clock.advance(500);
    await expect.poll(there, { timeout: 30_000 }).toEqual(['c']);
    clock.advance(1000);
    await expect.poll(there, { timeout: 30_000 }).toEqual([]);
    made[Symbol.dispose]();
  });

  it('leaves what a task is being made or restored from, and takes it when that is over', async () => {
    await three();
    const { keeper: made } = await keeper({ maxCount: 0 });
    const lent = made.lend('a');
    restoring = checkpointPlaces(folder('b')).images;
    await made.look();
    expect(there()).toEqual(['a', 'b']);
    lent[Symbol.dispose]();
    lent[Symbol.dispose]();
    restoring = undefined;
    await made.look();
    expect(there()).toEqual([]);
    made[Symbol.dispose]();
  });

  it('ends after a crash what it had begun: what the journal says has gone is removed', async () => {
    await three();
    await checkpoint('a', 0, { evicted: { atMs: 1, why: 'it had to go' } });
    const { keeper: made } = await keeper({});
    expect(there()).toEqual(['b', 'c']);
    expect(made.evicted('a')).toBe('it had to go');
    expect(made.evicted('b')).toBeUndefined();
    made[Symbol.dispose]();
  });

  it('keeps the data when the journal cannot be written', async () => {
    await three();
    const { keeper: made } = await keeper({ maxCount: 2 });
    records.put = () => Promise.reject(new Error('the disk is full'));
    await expect(made.look()).rejects.toThrow('the disk is full');
    expect(there()).toEqual(['a', 'b', 'c']);
    expect(made.evicted('a')).toBeUndefined();
    made[Symbol.dispose]();
  });

  it('is told in the status: not available, for which limit and since when', async () => {
    await checkpoint('a', 1000, { evicted: { atMs: 5000, why: 'others are newer' } });
    const object = {
      metadata: { name: 'c-a', namespace: 'team-a', uid: 'a', resourceVersion: '1' },
      spec: { nodeName: 'node-a', taskName: 'web' },
    };
    const status = oneShotStatus(readRequest('NodeTaskCheckpoint', object), records.values.get('a'));
    expect(status).toMatchObject({ state: 'Succeeded' });
    expect(status.conditions.find(({ type }) => type === 'Available')).toMatchObject({
      ...{ status: 'False', reason: 'Evicted', message: 'Its data were removed: others are newer.' },
      lastTransitionTime: '1970-01-01T00:00:05Z',
    });
  });
});
