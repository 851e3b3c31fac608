import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fileSize,
  listFoldersSync,
  listNames,
  listNamesSync,
  readLinkSync,
  readText,
  readTextSync,
  removeEmptyFolderSync,
  removeFile,
  removeFileSync,
  removeTree,
  removeTreeAtomic,
  writeAtomicSync,
  writeDurable,
} from './files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what is not there', () => {
  it('is undefined, empty or no error', async () => {
    const gone = join(folder, 'gone/deeper');
    expect(await readText(gone)).toBeUndefined();
    expect(readTextSync(gone)).toBeUndefined();
    expect(fileSize(gone)).toBeUndefined();
    expect(readLinkSync(gone)).toBeUndefined();
    expect([await listNames(gone), listNamesSync(gone), listFoldersSync(gone)]).toEqual([[], [], []]);
    await removeFile(gone);
    await removeTree(gone);
    await removeTreeAtomic(gone);
    removeEmptyFolderSync(gone);
  });

  it('is told from what cannot be read', async () => {
    await expect(readText(folder)).rejects.toThrow('EISDIR');
    expect(() => readTextSync(folder)).toThrow('EISDIR');
  });
});

describe('the folders in a folder', () => {
  it('are found, and none where there are only files', () => {
    mkdirSync(join(folder, 'one/deep/deeper'), { recursive: true });
    mkdirSync(join(folder, 'two'));
    writeFileSync(join(folder, 'file'), '');
    writeFileSync(join(folder, 'two/file'), '');
    expect(listFoldersSync(folder).toSorted()).toEqual(['one', 'two']);
    expect(listFoldersSync(join(folder, 'one'))).toEqual(['deep']);
    expect(listFoldersSync(join(folder, 'two'))).toEqual([]);
  });
});

describe('a file that is removed at once', () => {
  it('is gone, and may be gone already', () => {
    writeFileSync(join(folder, 'file'), '');
    removeFileSync(join(folder, 'file'));
    removeFileSync(join(folder, 'file'));
    removeFileSync(join(folder, 'none/file'));
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('an atomic write', () => {
  it('replaces the whole file, with its mode, and leaves nothing else', async () => {
    const path = join(folder, 'f');
    writeAtomicSync(path, 'a longer text');
    writeAtomicSync(path, 'short', 0o640);
    expect(readFileSync(path, 'utf8')).toBe('short');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    await writeDurable(path, 'durable');
    expect(readFileSync(path, 'utf8')).toBe('durable');
    expect(readdirSync(folder)).toEqual(['f']);
  });

  it('that fails leaves the old text and nothing else', async () => {
    mkdirSync(join(folder, 'd/full'), { recursive: true });
    expect(() => writeAtomicSync(join(folder, 'd'), 'x')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    await expect(writeDurable(join(folder, 'd'), 'x')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(['d']);
  });

  it('may be done many times at once', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => writeDurable(join(folder, 'f'), String(index))));
    expect(readdirSync(folder)).toEqual(['f']);
    expect(Number(readFileSync(join(folder, 'f'), 'utf8'))).toBeLessThan(20);
  });
});

describe('removing a tree', () => {
  it('takes links away, not what they lead to', async () => {
    mkdirSync(join(folder, 'kept'));
    writeFileSync(join(folder, 'kept/file'), 'x');
    mkdirSync(join(folder, 'tree/deep'), { recursive: true });
    symlinkSync(join(folder, 'kept'), join(folder, 'tree/deep/link'));
    await removeTreeAtomic(join(folder, 'tree'));
    expect(readdirSync(folder)).toEqual(['kept']);
    expect(readdirSync(join(folder, 'kept'))).toEqual(['file']);
  });

  it('finishes what an earlier removal began', async () => {
    mkdirSync(join(folder, '.tree.removed/half'), { recursive: true });
    mkdirSync(join(folder, 'tree'));
    await removeTreeAtomic(join(folder, 'tree'));
    expect(readdirSync(folder)).toEqual([]);
  });
});
