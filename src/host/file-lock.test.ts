import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFile } from './file-lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('is held by one at a time', async () => {
  const path = join(folder, 'lock');
  const first = await lockFile(path);
  await expect(lockFile(path)).rejects.toThrow(`cannot lock ${path}: another agent holds it`);
  await first[Symbol.asyncDispose]();
  await using _second = await lockFile(path);
});

it('waits for one that is just being let go of', async () => {
  const path = join(folder, 'lock');
  const first = await lockFile(path);
  const second = lockFile(path);
  await first[Symbol.asyncDispose]();
  await using held = await second;
  expect(held).toBeDefined();
});

it('says what is wrong with a path where no lock can be', async () => {
  await expect(lockFile(join(folder, 'none/lock'))).rejects.toThrow('flock ended with');
});
