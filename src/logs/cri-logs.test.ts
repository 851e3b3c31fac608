import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogLine } from '#api/ports.ts';
import { recoveredNode, createTask, taskRef, type FakeNode } from '../../test/support/tasks.ts';
import { CriLogs } from './cri-logs.ts';

let folder: string;
let node: FakeNode;
let logs: CriLogs;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  node = await recoveredNode();
  logs = new CriLogs({ logDir: folder, tasks: node.manager });
});
afterEach(async () => {
  await node.manager.close();
  rmSync(folder, { recursive: true });
});

const ref = taskRef('web');

function path(name: string): string {
  const file = join(folder, 'default', name);
  mkdirSync(dirname(file), { recursive: true });
  return file;
}

function entry(text: string, second = 0): string {
  return `2026-11-28T21:19:${String(second).padStart(2, '0')}.000000000+00:00 stdout F ${text}\n`;
}

type Options = Partial<Parameters<CriLogs['read']>[1]>;

function read(options: Options = {}): AsyncIterable<LogLine> {
  return logs.read(ref, { follow: false, signal: AbortSignal.timeout(30_000), ...options });
}

async function texts(options: Options = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { data } of read(options)) found.push(Buffer.from(data).toString().trimEnd());
  return found;
}

/** Reads one line after another by hand. */
function reader(options: Options = {}): { next(): Promise<string>; done(): Promise<boolean | undefined> } {
  const lines = read({ follow: true, ...options })[Symbol.asyncIterator]();
  return {
    next: async () =>
      Buffer.from((await lines.next()).value?.data ?? [])
        .toString()
        .trimEnd(),
    done: async () => (await lines.next()).done,
  };
}

describe('a log', () => {
  it('is read over the files that were set aside, the oldest first', async () => {
    writeFileSync(path('web/0.log.20261128-100000'), entry('a') + entry('b'));
    writeFileSync(path('web/0.log.20261128-100000.1'), entry('c'));
    writeFileSync(path('web/0.log'), entry('d'));
    expect(await texts()).toEqual(['a', 'b', 'c', 'd']);
    expect(await texts({ tail: 3 })).toEqual(['b', 'c', 'd']);
    expect(await texts({ tail: 9 })).toEqual(['a', 'b', 'c', 'd']);
    expect(await texts({ tail: 0 })).toEqual([]);
  });

  it('is that of the last run unless another one is asked for', async () => {
    writeFileSync(path('web/9.log'), entry('nine'));
    writeFileSync(path('web/10.log'), entry('ten'));
    expect(await texts()).toEqual(['ten']);
    expect(await texts({ attempt: 9 })).toEqual(['nine']);
    await expect(texts({ attempt: 3 })).rejects.toThrow('no log of attempt 3 of default/web');
  });

  it('begins at a time', async () => {
    writeFileSync(path('web/0.log'), entry('early', 1) + entry('late', 5));
    expect(await texts({ sinceMs: Date.parse('2026-11-28T21:19:03Z') })).toEqual(['late']);
    expect(await texts({ sinceMs: Date.parse('2036-11-28T21:19:03Z') })).toEqual([]);
  });

  it('of an object that is gone is found while it is kept; that of a namesake comes first', async () => {
    writeFileSync(path('web_1111/0.log'), entry('old'));
    expect(await texts()).toEqual(['old']);
    writeFileSync(path('web/0.log'), entry('new'));
    expect(await texts()).toEqual(['new']);
  });

  it('that is nowhere is not found', async () => {
    await expect(texts()).rejects.toThrow('no log of default/web');
  });

  it('leaves out what is no entry', async () => {
    writeFileSync(path('web/0.log'), `${entry('a')}torn\n${entry('b')}`);
    expect(await texts()).toEqual(['a', 'b']);
  });
});

/** A task that writes the log. */
async function running(): Promise<{ end(): Promise<void> }> {
  const io = { kind: 'log', terminal: false, stdin: false, path: path('web/0.log') } as const;
  const task = await node.manager.create(createTask('web', { io }));
  await task.start();
  return { end: async () => await task.kill(9) };
}

describe('following a log', () => {
  it('goes on with what is written, through rotations, until the task has ended', async () => {
    const task = await running();
    const current = path('web/0.log');
    writeFileSync(current, entry('a'));
    const lines = reader();
    expect(await lines.next()).toBe('a');
    appendFileSync(current, entry('b'));
    expect(await lines.next()).toBe('b');
    renameSync(current, path('web/0.log.20261128-100000'));
    appendFileSync(path('web/0.log.20261128-100000'), entry('c'));
    writeFileSync(current, entry('d'));
    expect([await lines.next(), await lines.next()]).toEqual(['c', 'd']);
    appendFileSync(current, entry('last'));
    await task.end();
    expect(await lines.next()).toBe('last');
    expect(await lines.done()).toBe(true);
  });

  it('misses no file of several rotations that follow each other closely', async () => {
    const task = await running();
    const current = path('web/0.log');
    writeFileSync(current, entry('0'));
    const lines = reader();
    expect(await lines.next()).toBe('0');
    for (let n = 1; n <= 3; n += 1) {
      renameSync(current, path(`web/0.log.20261128-10000${n}`));
      writeFileSync(current, entry(String(n)));
    }
    await task.end();
    expect([await lines.next(), await lines.next(), await lines.next()]).toEqual(['1', '2', '3']);
    expect(await lines.done()).toBe(true);
  });

  it('waits for the first line', async () => {
    const task = await running();
    mkdirSync(join(folder, 'default/web'), { recursive: true });
    writeFileSync(path('web/0.log'), '');
    const lines = reader();
    const first = lines.next();
    appendFileSync(path('web/0.log'), entry('a'));
    expect(await first).toBe('a');
    await task.end();
    expect(await lines.done()).toBe(true);
  });

  it('of a task that has ended ends with the file', async () => {
    writeFileSync(path('web/0.log'), entry('a'));
    expect(await texts({ follow: true })).toEqual(['a']);
  });

  it('ends when the client leaves', async () => {
    await running();
    writeFileSync(path('web/0.log'), entry('a'));
    const client = new AbortController();
    const lines = reader({ signal: client.signal });
    expect(await lines.next()).toBe('a');
    const end = lines.done();
    client.abort();
    expect(await end).toBe(true);
  });
});
