import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { MemoryRecords } from '../../../test/support/reconciling.ts';
import { eventually } from '../../../test/support/node.ts';
import type { SourceChange, SourceObject } from '../reconcile/source.ts';
import { ManifestFolder } from './manifest-folder.ts';
import type { FileRecord, ObjectUid } from './manifest-records.ts';

let folder: string;
let records: { readonly files: MemoryRecords<FileRecord>; readonly uids: MemoryRecords<ObjectUid> };
let clock: ManualClock;
let source: ManifestFolder;
let changes: SourceChange[];
let uids = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  records = { files: new MemoryRecords(), uids: new MemoryRecords() };
  clock = new ManualClock();
});
afterEach(async () => {
  await source[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<void> {
  changes = [];
  source = new ManifestFolder({
    ...{ folder, records, clock, log: silentLog(), nodeName: 'node-a' },
    // Tests need not be root.
    ownerUid: process.getuid?.() ?? 0,
    makeUid: () => `uid-${(uids += 1)}`,
  });
  source.subscribe((change) => changes.push(change));
  await source.start();
}

function text(name: string, image = 'a', more: Readonly<Record<string, unknown>> = {}): string {
  const metadata = { name, ...more };
  return JSON.stringify({ apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata, spec: { image } });
}

function put(file: string, content: string): void {
  writeFileSync(join(folder, `.${file}`), content);
  renameSync(join(folder, `.${file}`), join(folder, file));
}

/** Waits for the folder to be looked at until an object is as it should be. */
async function until(
  key: string,
  good: (object: SourceObject | undefined) => boolean,
): Promise<SourceObject | undefined> {
  return await eventually(
    () => {
      clock.advance(10_000);
      return source.get(key);
    },
    good,
    `${key} changes`,
  );
}

function imageOf(object: SourceObject | undefined): string | undefined {
  return object?.task?.spec.image;
}

describe('ManifestFolder', () => {
  it('has all objects when it has started, and says that it has', async () => {
    put('b.yaml', text('web'));
    put('a.json', text('db'));
    put('notes.txt', 'no manifest');
    put('.hidden.yaml', text('hidden'));
    mkdirSync(join(folder, 'folder.yaml'));
    await start();
    expect(source.keys()).toEqual(['default/db', 'default/web']);
    expect(source.synced).toBe(true);
    expect(changes.at(-1)).toEqual({ kind: 'synced' });
    expect(source.get('default/web')).toMatchObject({ generation: 1, confirmed: true, deleting: false, problems: [] });
    expect(await source.podSecurityLevel()).toBe('privileged');
  });

  it('follows files that are made, changed and removed; a generation counts changes of the spec', async () => {
    await start();
    put('web.yaml', text('web'));
    const made = await until('default/web', (object) => object !== undefined);
    put('web.yaml', text('web', 'b'));
    const changed = await until('default/web', (object) => imageOf(object) === 'b');
    expect(changed).toMatchObject({ uid: made?.uid, generation: 2 });
    put('web.yaml', text('web', 'b', { annotations: { x: 'y' } }));
    const annotated = await until('default/web', (object) => object?.task?.metadata.annotations !== undefined);
    expect(annotated).toMatchObject({ uid: made?.uid, generation: 2 });
    rmSync(join(folder, 'web.yaml'));
    await until('default/web', (object) => object === undefined);
    expect(records.uids.values.size).toBe(0);
    expect(changes.filter(({ kind }) => kind === 'object')).toHaveLength(4);
  });

  it('keeps UIDs and generations over agents, and over a file that is renamed', async () => {
    put('web.yaml', text('web'));
    await start();
    const before = source.get('default/web');
    await source[Symbol.asyncDispose]();
    renameSync(join(folder, 'web.yaml'), join(folder, 'other.yaml'));
    await start();
    expect(source.get('default/web')).toMatchObject({ uid: before?.uid, generation: 1 });
  });

  it('gives an object another UID whose file had gone, also while no agent was there', async () => {
    put('web.yaml', text('web'));
    await start();
    const before = source.get('default/web')?.uid;
    await source[Symbol.asyncDispose]();
    rmSync(join(folder, 'web.yaml'));
    await start();
    await source[Symbol.asyncDispose]();
    put('web.yaml', text('web'));
    await start();
    expect(source.get('default/web')?.uid).not.toBe(before);
  });

  it('keeps the last valid objects of a file that turns wrong, also over agents', async () => {
    put('web.yaml', `${text('web')}\n---\n${text('db')}`);
    await start();
    const { uid } = source.get('default/web') ?? {};
    for (const wrong of ['', 'a: [', text('web', 'NOT AN IMAGE')]) {
      put('web.yaml', wrong);
      await until('default/web', (object) => (object?.problems.length ?? 0) > 0);
      expect(source.keys()).toEqual(['default/web', 'default/db']);
      expect(source.get('default/web')).toMatchObject({ uid, generation: 1 });
    }
    await source[Symbol.asyncDispose]();
    await start();
    expect(imageOf(source.get('default/db'))).toBe('a');
    expect(source.get('default/web')?.problems[0]?.path).toBe('file web.yaml');
    put('web.yaml', text('web', 'b'));
    expect(await until('default/web', (object) => imageOf(object) === 'b')).toMatchObject({ uid, problems: [] });
  });

  it('takes the first file by name of two that hold one object; the other takes over when that has gone', async () => {
    put('a.yaml', text('web', 'a'));
    put('b.yaml', text('web', 'b'));
    await start();
    expect(imageOf(source.get('default/web'))).toBe('a');
    const { uid } = source.get('default/web') ?? {};
    rmSync(join(folder, 'a.yaml'));
    expect(await until('default/web', (object) => imageOf(object) === 'b')).toMatchObject({ uid, generation: 2 });
  });

  it('leaves out what is for another node', async () => {
    put('web.yaml', text('web').replace('"image"', '"nodeName":"node-b","image"'));
    await start();
    expect(source.keys()).toEqual([]);
  });

  it('counts an object whose time is over as deleted until its file says something else', async () => {
    put('web.yaml', text('web'));
    await start();
    const object = source.get('default/web');
    if (object) await source.expire(object);
    await until('default/web', (now) => now === undefined);
    await source[Symbol.asyncDispose]();
    await start();
    expect(source.keys()).toEqual([]);
    put('web.yaml', text('web', 'b'));
    const again = await until('default/web', (now) => now !== undefined);
    expect(again).toMatchObject({ generation: 1 });
    expect(again?.uid).not.toBe(object?.uid);
  });

  it('keeps everything when the folder can be read no more', async () => {
    put('web.yaml', text('web'));
    await start();
    chmodSync(folder, 0o777);
    rmSync(join(folder, 'web.yaml'));
    for (let turn = 0; turn < 20; turn += 1) {
      clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(source.keys()).toEqual(['default/web']);
    chmodSync(folder, 0o755);
    await until('default/web', (object) => object === undefined);
  });

  it.each([0o777, 0o775, 0o757])('does not start on a folder of mode %o', async (mode) => {
    chmodSync(folder, mode);
    await expect(start()).rejects.toThrow('others than root may write into');
    chmodSync(folder, 0o755);
  });
});
