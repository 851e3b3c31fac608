import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#async/clock.ts';
import { mount, mountsBelow, unmount } from '#host/mounts.ts';
import { ImageStore } from '#images/image-store.ts';
import type { Image, ImageStoreOptions, Rootfs } from '#images/images.ts';
import { silentLog } from '#log/log.ts';
import { addImage, toTar } from '../support/images.ts';
import type { TestLayer } from '../support/images.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/node.ts';

let folder: string;
let root: string;
let store: ImageStore;

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'runlet-test-')));
  root = join(folder, 'root');
  store = await open();
});
afterEach(async () => {
  await store.close();
  for (const { mountPoint } of mountsBelow(folder)) await unmount(mountPoint);
  rmSync(folder, { recursive: true });
});

async function open(options: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
  const own = { root, log: silentLog(), clock: systemClock, rootfsAllow: [join(folder, 'plain')], ownFolders: [] };
  return await ImageStore.open({ ...own, ...options });
}

async function imageOf(...layers: TestLayer[]): Promise<Image> {
  return await named('1', layers);
}

async function named(tag: string, layers: readonly TestLayer[]): Promise<Image> {
  mkdirSync(join(folder, 'layout'), { recursive: true });
  addImage(join(folder, 'layout'), { tag, layers });
  return await store.ensure(`oci:${folder}/layout:${tag}`, { policy: 'Always', localPaths: true });
}

/** Mounts a root file system as the runtime does. */
async function mounted(rootfs: Rootfs, name = 'merged'): Promise<string> {
  const at = join(folder, name);
  mkdirSync(at, { recursive: true });
  for (const each of rootfs.mounts) await mount(each, at);
  return at;
}

describe('an unpacked image', () => {
  it('has owners, modes, links, hard links, devices and attributes as in its layers', async () => {
    const image = await imageOf((at) => {
      mkdirSync(join(at, 'dir'));
      writeFileSync(join(at, 'dir/a'), 'a');
      linkSync(join(at, 'dir/a'), join(at, 'dir/b'));
      symlinkSync('/dir/a', join(at, 'link'));
      chownSync(join(at, 'dir/a'), 1234, 2345);
      chmodSync(join(at, 'dir/a'), 0o4711);
      chmodSync(join(at, 'dir'), 0o1777);
      execFileSync('mknod', [join(at, 'null'), 'c', '1', '3']);
      chmodSync(at, 0o751);
      chownSync(at, 12, 34);
    });
    const at = await mounted(await store.rootfs(image, 'default/a'));
    expect(lstatSync(join(at, 'dir/a'))).toMatchObject({ uid: 1234, gid: 2345, nlink: 2 });
    expect(lstatSync(join(at, 'dir/a')).mode & 0o7777).toBe(0o4711);
    expect(lstatSync(join(at, 'dir/a')).ino).toBe(lstatSync(join(at, 'dir/b')).ino);
    expect(lstatSync(join(at, 'dir')).mode & 0o7777).toBe(0o1777);
    expect(readlinkSync(join(at, 'link'))).toBe('/dir/a');
    expect(lstatSync(join(at, 'null')).isCharacterDevice()).toBe(true);
    expect(lstatSync(at)).toMatchObject({ uid: 12, gid: 34 });
    expect(lstatSync(at).mode & 0o7777).toBe(0o751);
  });

  it('lacks what a later layer took away, and a folder that was hidden shows only what is newer', async () => {
    const image = await imageOf(
      (at) => {
        writeFileSync(join(at, 'gone'), '');
        mkdirSync(join(at, 'opaque'));
        writeFileSync(join(at, 'opaque/old'), '');
        writeFileSync(join(at, 'stays'), 'old');
      },
      (at) => {
        writeFileSync(join(at, '.wh.gone'), '');
        mkdirSync(join(at, 'opaque'));
        writeFileSync(join(at, 'opaque/.wh..wh..opq'), '');
        writeFileSync(join(at, 'opaque/new'), '');
        writeFileSync(join(at, 'stays'), 'new');
      },
    );
    const { lower } = await store.rootfs(image, 'default/a');
    const there = (name: string) => existsSync(join(lower, name));
    expect(['gone', '.wh.gone', 'opaque/old', 'opaque/.wh..wh..opq'].filter(there)).toEqual([]);
    expect(there('opaque/new')).toBe(true);
    expect(readFileSync(join(lower, 'stays'), 'utf8')).toBe('new');
  });

  it('stays in its folder, whatever names and links its layers have', async () => {
    mkdirSync(join(folder, 'outside'));
    const escape = toTar((at) => writeFileSync(join(at, 'evil'), 'evil'), folder, [
      '--transform=s,^\\./evil,../../../../outside/dots,',
      '--absolute-names',
    ]);
    const image = await imageOf(
      (at) => symlinkSync(join(folder, 'outside'), join(at, 'way')),
      toTar((at) => {
        mkdirSync(join(at, 'way'));
        writeFileSync(join(at, 'way/through-link'), 'evil');
      }, folder),
      escape,
    ).catch((error: unknown) => error);
    expect(existsSync(join(folder, 'outside/dots'))).toBe(false);
    expect(existsSync(join(folder, 'outside/through-link'))).toBe(false);
    expect(image).toBeDefined();
  });

  it('is refused when a layer is not what its configuration says, and can be had once that is mended', async () => {
    addImage(join(folder, 'layout').concat('-other'), { tag: '1', layers: [] });
    const layout = join(folder, 'layout');
    const { manifest } = addImage(layout, { tag: '1', layers: [(at) => writeFileSync(join(at, 'a'), 'right')] });
    const file = join(layout, 'blobs', ...manifest.split(':'));
    const parts = JSON.parse(readFileSync(file, 'utf8')) as { layers: { digest: string }[] };
    const layer = join(layout, 'blobs', ...(parts.layers[0]?.digest.split(':') ?? []));
    const right = readFileSync(layer);
    writeFileSync(layer, Buffer.concat([right.subarray(0, -1), Buffer.from([(right.at(-1) ?? 0) ^ 1])]));
    const ensure = async () => await store.ensure(`oci:${layout}:1`, { policy: 'Always', localPaths: true });
    await expect(ensure()).rejects.toThrow(`image oci:${layout}:1`);
    expect(await store.list()).toEqual([]);
    writeFileSync(layer, right);
    await expect(ensure()).resolves.toMatchObject({ reference: `oci:${layout}:1` });
  });
});

describe('a layer', () => {
  it('takes what one task writes and shows it to no other, nor to the next run', async () => {
    const image = await imageOf((at) => writeFileSync(join(at, 'file'), 'image'));
    const first = await mounted(await store.rootfs(image, 'default/first'), 'one');
    const second = await mounted(await store.rootfs(image, 'default/second'), 'two');
    writeFileSync(join(first, 'file'), 'first');
    expect(readFileSync(join(second, 'file'), 'utf8')).toBe('image');
    expect(readFileSync(join(store.layerPath('default/first'), 'file'), 'utf8')).toBe('first');
    expect([...(await store.layers())].toSorted()).toEqual(['default/first', 'default/second']);
    await expect(store.removeRootfs('default/first')).rejects.toMatchObject({ code: 'failed-precondition' });
    await unmount(first);
    const again = await mounted(await store.rootfs(image, 'default/first'), 'one');
    expect(readFileSync(join(again, 'file'), 'utf8')).toBe('image');
    await unmount(again);
    await store.removeRootfs('default/first');
    await store.removeRootfs('default/first');
    expect(await store.layers()).toEqual(['default/second']);
  });

  it('is a copy where overlays cannot be used: on an overlay', async () => {
    const parts = ['l', 'u', 'w', 'base'].map((name) => join(folder, name));
    for (const part of parts) mkdirSync(part);
    const [l, u, w, base = ''] = parts;
    await mount(
      { type: 'overlay', source: 'overlay', options: [`lowerdir=${l}`, `upperdir=${u}`, `workdir=${w}`] },
      base,
    );
    await store.close();
    store = await open({ root: join(base, 'root') });
    const image = await imageOf((at) => {
      writeFileSync(join(at, 'file'), 'image');
      chmodSync(at, 0o755);
    });
    const first = await mounted(await store.rootfs(image, 'default/first'), 'one');
    const second = await mounted(await store.rootfs(image, 'default/second'), 'two');
    writeFileSync(join(first, 'file'), 'first');
    expect(readFileSync(join(second, 'file'), 'utf8')).toBe('image');
    expect(readFileSync(join(store.layerPath('default/first'), 'file'), 'utf8')).toBe('first');
    await unmount(first);
    await store.removeRootfs('default/first');
    expect(await store.layers()).toEqual(['default/second']);
  });
});

describe('a plain folder as root file system', () => {
  it('is shared and never written', async () => {
    mkdirSync(join(folder, 'plain/web'), { recursive: true });
    writeFileSync(join(folder, 'plain/web/file'), 'plain');
    const rootfs = await store.rootfs({ path: join(folder, 'plain/web') }, 'default/web');
    const at = await mounted(rootfs);
    writeFileSync(join(at, 'file'), 'task');
    expect(readFileSync(join(folder, 'plain/web/file'), 'utf8')).toBe('plain');
    expect(readFileSync(join(rootfs.lower, 'file'), 'utf8')).toBe('plain');
    await unmount(at);
    await store.removeRootfs('default/web');
    expect(mountsBelow(folder)).toEqual([]);
    expect(readFileSync(join(folder, 'plain/web/file'), 'utf8')).toBe('plain');
  });

  it('is the folder that was looked at, whatever is put in its place later', async () => {
    mkdirSync(join(folder, 'plain/web'), { recursive: true });
    writeFileSync(join(folder, 'plain/web/file'), 'looked at');
    const rootfs = await store.rootfs({ path: join(folder, 'plain/web') }, 'default/web');
    renameSync(join(folder, 'plain/web'), join(folder, 'plain/moved'));
    symlinkSync('/etc', join(folder, 'plain/web'));
    expect(readFileSync(join(await mounted(rootfs), 'file'), 'utf8')).toBe('looked at');
  });

  it.each([
    ['outside of those allowed', () => join(folder, 'other')],
    ['beside them by dots', () => join(folder, 'plain/../other')],
    ['outside by a link', () => join(folder, 'plain/link')],
  ])('is refused %s', async (_, path) => {
    for (const name of ['plain', 'other']) mkdirSync(join(folder, name));
    symlinkSync(join(folder, 'other'), join(folder, 'plain/link'));
    await expect(store.rootfs({ path: path() }, 'default/web')).rejects.toMatchObject({ reason: 'PolicyViolation' });
    expect(await store.layers()).toEqual([]);
  });

  it("is never one of the agent's own folders, nor one around them, whoever asks", async () => {
    await imageOf(() => {});
    for (const path of [root, join(root, 'images/unpacked'), folder, '/']) {
      const asked = store.rootfs({ path, anywhere: true }, 'default/web');
      await expect(asked, path).rejects.toMatchObject({ reason: 'PolicyViolation' });
    }
    mkdirSync(join(folder, 'other'));
    await expect(store.rootfs({ path: join(folder, 'other'), anywhere: true }, 'default/web')).resolves.toBeDefined();
  });

  it('must be there and be a folder', async () => {
    mkdirSync(join(folder, 'plain'));
    writeFileSync(join(folder, 'plain/file'), '');
    const ask = async (name: string) => await store.rootfs({ path: join(folder, 'plain', name) }, 'default/web');
    await expect(ask('nothing')).rejects.toMatchObject({ code: 'not-found' });
    await expect(ask('file')).rejects.toMatchObject({ code: 'failed-precondition' });
  });
});

const hourMs = 3_600_000;
const common: TestLayer = (at) => writeFileSync(join(at, 'common'), 'common'.repeat(10_000));

describe('images that nobody uses', () => {
  it('are removed with all that is theirs alone, and never while a task has them', async () => {
    const used = await named('used', [common, (at) => writeFileSync(join(at, 'used'), 'used')]);
    const unused = await named('unused', [common, (at) => writeFileSync(join(at, 'unused'), 'unused')]);
    const { lower } = await store.rootfs(used, 'default/a');
    await expect(store.remove(used.reference)).rejects.toMatchObject({ code: 'failed-precondition' });
    expect((await store.list()).map(({ reference, inUse }) => [reference, inUse])).toEqual([
      [unused.reference, false],
      [used.reference, true],
    ]);
    const pruned = await store.prune();
    expect(pruned.removed).toEqual([unused.reference]);
    expect(pruned.bytes).toBeGreaterThan(0);
    expect(existsSync(join(lower, 'used'))).toBe(true);
    await expect(store.rootfs(unused, 'default/b')).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.remove(unused.reference)).rejects.toMatchObject({ code: 'not-found' });
    await store.removeRootfs('default/a');
    await store.remove(used.imageId);
    expect(await store.list()).toEqual([]);
    expect(existsSync(lower)).toBe(false);
  });

  it('are removed by age, counted from their last use, also by the next agent', async () => {
    const clock = new ManualClock();
    await store.close();
    store = await open({ clock: { ...systemClock, nowMs: () => clock.nowMs() } });
    const image = await imageOf((at) => writeFileSync(join(at, 'a'), ''));
    await store.rootfs(image, 'default/a');
    clock.advance(100_000);
    await store.removeRootfs('default/a');
    clock.advance(50_000);
    await store.close();
    store = await open({ clock: { ...systemClock, nowMs: () => clock.nowMs() } });
    expect((await store.collectGarbage({ unusedForMs: 60_000 })).removed).toEqual([]);
    clock.advance(10_000);
    expect((await store.collectGarbage({ unusedForMs: 60_000 })).removed).toEqual([image.reference]);
  });

  it('are removed without being asked when nobody has used them for long', async () => {
    const clock = new ManualClock();
    await store.close();
    store = await open({ clock, keepUnusedMs: 10 * hourMs });
    addImage(join(folder, 'layout'), { tag: '1', layers: [() => {}] });
    await store.ensure(`oci:${folder}/layout:1`, { policy: 'Always', localPaths: true });
    for (let hour = 0; hour < 9; hour += 1) clock.advance(hourMs);
    expect(await store.list()).toHaveLength(1);
    clock.advance(2 * hourMs);
    await eventually(
      async () => await store.list(),
      (images) => images.length === 0,
      'images that nobody used',
    );
  });

  it('stay when somebody outside names them', async () => {
    const image = await imageOf((at) => writeFileSync(join(at, 'a'), ''));
    await store.close();
    store = await open({ inUse: () => [image.reference] });
    expect((await store.prune()).removed).toEqual([]);
    await expect(store.remove(image.reference)).rejects.toMatchObject({ code: 'failed-precondition' });
  });
});
