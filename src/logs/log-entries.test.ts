import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, nat, string } from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GrowingFile } from '#host/growing-file.ts';
import { lastEntries, LogEntries } from './log-entries.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  path = join(folder, '0.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function opened(): Promise<GrowingFile> {
  const file = await GrowingFile.open(path);
  if (!file) throw new Error('no file');
  return file;
}

async function all(entries: LogEntries): Promise<string[]> {
  const texts: string[] = [];
  for await (const entry of entries.available()) texts.push(entry.toString());
  return texts;
}

it('reads what is there, waits for the end of an entry, and goes on', async () => {
  writeFileSync(path, 'one\ntwo\nthr');
  const entries = new LogEntries(await opened());
  expect(await all(entries)).toEqual(['one', 'two']);
  expect(await all(entries)).toEqual([]);
  appendFileSync(path, 'ee\nfour\n');
  expect(await all(entries)).toEqual(['three', 'four']);
  await entries.close();
});

it('joins entries that are longer than what is read at once', async () => {
  const long = 'x'.repeat(200_000);
  writeFileSync(path, `${long}\nshort\n`);
  const entries = new LogEntries(await opened());
  expect(await all(entries)).toEqual([long, 'short']);
  await entries.close();
});

it('finds the last entries of any file, as splitting all of it would', async () => {
  await assert(
    asyncProperty(
      array(string({ unit: constantFrom('a', 'b'), maxLength: 12 }), { maxLength: 20 }),
      nat({ max: 25 }),
      async (lines, count) => {
        writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
        await using file = await opened();
        const { offset, missing } = await lastEntries(file, count);
        const entries = new LogEntries(await opened(), offset);
        expect(await all(entries)).toEqual(count === 0 ? [] : lines.slice(-count));
        expect(missing).toBe(Math.max(0, count - lines.length));
        await entries.close();
      },
    ),
    { numRuns: 60 },
  );
});

it('finds the last entries of a file of many pieces', async () => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  await using file = await opened();
  const { offset } = await lastEntries(file, 20_000);
  const entries = new LogEntries(await opened(), offset);
  expect(await all(entries)).toEqual(lines.slice(-20_000));
  await entries.close();
});
