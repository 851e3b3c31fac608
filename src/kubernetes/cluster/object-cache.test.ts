import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import type { Records } from '#task/records.ts';
import { ObjectCache, type CachedObject } from './object-cache.ts';

/** A disk on which each write waits until it is let go. */
class SlowDisk implements Records<CachedObject> {
  readonly files = new Map<string, CachedObject>();
  readonly begun: string[] = [];
  full = false;
  readonly #waiting: (() => void)[] = [];

  load(): Promise<readonly CachedObject[]> {
    return Promise.resolve([...this.files.values()]);
  }

  async put(key: string, value: CachedObject): Promise<void> {
    await this.#turn(`put ${key} ${value.object.metadata.resourceVersion}`);
    this.files.set(key, value);
  }

  async remove(key: string): Promise<void> {
    await this.#turn(`remove ${key}`);
    this.files.delete(key);
  }

  /** Lets one write after the other happen until none waits. */
  async go(): Promise<void> {
    for (let turns = 0; turns < 20; turns += 1) {
      this.#waiting.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #turn(what: string): Promise<void> {
    if (this.full) throw new Error('no space left on device');
    this.begun.push(what);
    await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }
}

function version(resourceVersion: string): CachedObject {
  return { object: { metadata: { name: 'a', uid: 'u', resourceVersion } } };
}

let disk: SlowDisk;
let cache: ObjectCache;
beforeEach(() => {
  disk = new SlowDisk();
  cache = new ObjectCache({ records: disk, log: silentLog() });
});

describe('ObjectCache', () => {
  it('writes the newest version of each object, and what was put before its removal not at all', async () => {
    cache.put('a', version('1'));
    cache.put('b', version('1'));
    cache.put('a', version('2'));
    cache.remove('b');
    await disk.go();
    expect(disk.begun).toEqual(['put a 2', 'remove b']);
    expect([...disk.files.keys()]).toEqual(['a']);
  });

  it('writes an object before all others that somebody waits for, and never two versions of it at once', async () => {
    for (const key of ['a', 'b', 'c']) cache.put(key, version('1'));
    const flushed = cache.flush('c');
    cache.put('c', version('2'));
    expect(disk.begun).toEqual(['put c 1']);
    await disk.go();
    await flushed;
    expect(disk.begun.indexOf('put c 2')).toBeGreaterThan(0);
    expect(disk.files.get('c')?.object.metadata.resourceVersion).toBe('2');
    await cache.flush('nobody');
  });

  it('lets nobody go on before what somebody else is just writing is on disk', async () => {
    cache.put('a', version('1'));
    const seen: boolean[] = [];
    const flushed = ['first', 'second'].map(async () => {
      await cache.flush('a');
      seen.push(disk.files.has('a'));
    });
    await disk.go();
    await Promise.all(flushed);
    expect(seen).toEqual([true, true]);
    expect(disk.begun).toEqual(['put a 1']);
  });

  it('tells who waits that the disk is full, and tries again with the next object', async () => {
    disk.full = true;
    cache.put('a', version('1'));
    await expect(cache.flush('a')).rejects.toThrow('no space left');
    await disk.go();
    disk.full = false;
    cache.put('b', version('1'));
    await disk.go();
    expect([...disk.files.keys()].toSorted()).toEqual(['a', 'b']);
  });

  it('has written everything when it is closed', async () => {
    for (const key of ['a', 'b']) cache.put(key, version('1'));
    const closed = cache[Symbol.asyncDispose]();
    await disk.go();
    await closed;
    expect(disk.files.size).toBe(2);
  });
});
