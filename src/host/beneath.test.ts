import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotFoundError, PermissionDeniedError } from '#errors/errors.ts';
import { openBeneath } from './beneath.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'runlet-test-'));
  root = join(folder, 'allowed');
  mkdirSync(join(root, 'a/b'), { recursive: true });
  mkdirSync(join(folder, 'allowed-too'));
  mkdirSync(join(folder, 'secret'));
  writeFileSync(join(root, 'a/b/file'), 'inside');
  writeFileSync(join(folder, 'secret/file'), 'outside');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The real path of what is opened, below the test's folder. */
async function opened(path: string, create?: 'folder' | 'file'): Promise<string> {
  await using place = await openBeneath(root, path, create);
  return realpathSync(place.path).slice(folder.length);
}

/** What stands in the file that is opened; undefined where it is not to be had just now. */
async function readThrough(path: string): Promise<string | undefined> {
  try {
    await using place = await openBeneath(root, path);
    return readFileSync(place.path, 'utf8');
  } catch {
    return undefined;
  }
}

const nextTurn = async () => await new Promise((resolve) => setImmediate(resolve));

describe('opening a place beneath a folder', () => {
  it.each([
    ['a/b', '/allowed/a/b'],
    ['a/b/', '/allowed/a/b'],
    ['a//b/./', '/allowed/a/b'],
    ['a/../a/b/file', '/allowed/a/b/file'],
    ['', '/allowed'],
    ['.', '/allowed'],
  ])('takes %j as what it means', async (path, place) => {
    expect(await opened(path)).toBe(place);
  });

  it.each(['..', '../secret', 'a/../../secret/file', '../allowed-too', 'a/b/../../../secret'])(
    'does not let %j climb out',
    async (path) => {
      await expect(opened(path)).rejects.toThrow(PermissionDeniedError);
    },
  );

  it('follows a link that stays beneath, and none that leads out, wherever it is on the way', async () => {
    symlinkSync('b', join(root, 'a/stays'));
    symlinkSync(join(root, 'a/b'), join(root, 'whole'));
    symlinkSync('../../secret', join(root, 'a/out'));
    symlinkSync(join(folder, 'secret'), join(root, 'out'));
    symlinkSync('/', join(root, 'node'));
    symlinkSync('a/out', join(root, 'two'));
    expect(await opened('a/stays/file')).toBe('/allowed/a/b/file');
    expect(await opened('whole')).toBe('/allowed/a/b');
    for (const path of ['a/out', 'a/out/', 'out/file', 'node/etc', 'two/file', 'node']) {
      await expect(opened(path), path).rejects.toThrow(PermissionDeniedError);
    }
  });

  it('makes nothing through a link that leads nowhere, nor outside', async () => {
    symlinkSync(join(folder, 'secret/new'), join(root, 'nowhere'));
    await expect(opened('nowhere', 'folder')).rejects.toThrow(NotFoundError);
    await expect(opened('../new', 'folder')).rejects.toThrow(PermissionDeniedError);
    expect(readdirSync(join(folder, 'secret'))).toEqual(['file']);
    expect(readdirSync(folder).toSorted()).toEqual(['allowed', 'allowed-too', 'secret']);
    expect(await opened('made/deep', 'folder')).toBe('/allowed/made/deep');
    expect(await opened('made/one', 'file')).toBe('/allowed/made/one');
    await expect(opened('missing')).rejects.toThrow(NotFoundError);
  });

  it('holds the very place, whatever takes its name afterwards', async () => {
    await using place = await openBeneath(root, 'a/b');
    renameSync(join(root, 'a/b'), join(root, 'a/old'));
    symlinkSync(join(folder, 'secret'), join(root, 'a/b'));
    expect(readFileSync(join(place.path, 'file'), 'utf8')).toBe('inside');
  });

  it('never leads out while somebody swaps a folder for a link all the time', async () => {
    const done = new AbortController();
    const swap = async () => {
      for (let round = 0; !done.signal.aborted; round += 1) {
        renameSync(join(root, 'a/b'), join(root, 'a/kept'));
        symlinkSync(join(folder, 'secret'), join(root, 'a/b'));
        // In steps of various lengths, so that the swap meets every step of the opening.
        for (let turn = 0; turn < round % 7; turn += 1) await nextTurn();
        rmSync(join(root, 'a/b'));
        renameSync(join(root, 'a/kept'), join(root, 'a/b'));
        for (let turn = 0; turn < round % 5; turn += 1) await nextTurn();
        await nextTurn();
      }
    };
    const swapper = swap();
    const seen: string[] = [];
    for (let round = 0; round < 300; round += 1) {
      const text = await readThrough('a/b/file');
      if (text !== undefined) seen.push(text);
    }
    done.abort();
    await swapper;
    expect(new Set(seen)).toEqual(new Set(['inside']));
  });
});
