import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#async/clock.ts';
import { mountsBelow } from '#host/mounts.ts';
import { ImageStore } from '#images/image-store.ts';
import type { ImageStoreOptions, PullProgress } from '#images/images.ts';
import { silentLog } from '#log/log.ts';
import { addImage, push } from '../support/images.ts';
import { registryUser, startRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';

let folder: string;
let registry: TestRegistry;
let layout: string;
let store: ImageStore;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  registry = await startRegistry(join(folder, 'registry'));
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let serial = 0;
let root: string;
beforeEach(async () => {
  serial += 1;
  layout = join(folder, `layout-${serial}`);
  root = join(folder, `root-${serial}`);
  store = await open();
});
afterEach(async () => {
  await store.close();
  for (const key of await store.layers()) await store.removeRootfs(key);
  const left = mountsBelow(folder);
  if (left.length > 0) throw new Error(`left mounted: ${JSON.stringify(left)}`);
});

async function open(options: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
  const own = { root, log: silentLog(), clock: systemClock, rootfsAllow: [], ownFolders: [] };
  return await ImageStore.open({ ...own, ...options });
}

/** Pushes an image with one file and returns its name. */
function pushed(name: string, text = name, tag = '1'): { reference: string; imageId: string } {
  const made = addImage(layout, {
    tag: 'new',
    config: {
      Entrypoint: ['/bin/sh'],
      Cmd: ['-c', 'true'],
      Env: ['A=1'],
      WorkingDir: '/srv',
      User: 'app',
      StopSignal: 'SIGINT',
    },
    layers: [(at) => writeFileSync(join(at, 'hello'), text)],
  });
  const reference = `${registry.host}/team/${name}:${tag}`;
  push(`oci:${layout}:new`, reference);
  return { reference, imageId: made.imageId };
}

const always = { policy: 'Always', localPaths: false } as const;
const ifNotPresent = { policy: 'IfNotPresent', localPaths: false } as const;

describe('an image of a registry', () => {
  it('is pulled with its digest, ID, configuration, size and progress', async () => {
    const { reference, imageId } = pushed('web');
    const told: PullProgress[] = [];
    const image = await store.ensure(reference, { ...ifNotPresent, onProgress: (progress) => told.push(progress) });
    expect(image).toMatchObject({
      ...{ reference, imageId },
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      config: {
        entrypoint: ['/bin/sh'],
        cmd: ['-c', 'true'],
        env: ['A=1'],
        workingDir: '/srv',
        user: 'app',
        stopSignal: 'SIGINT',
      },
    });
    expect(image.sizeBytes).toBeGreaterThan(0);
    expect(new Set(told.map(({ phase }) => phase))).toEqual(new Set(['resolving', 'pulling', 'unpacking']));
    expect(told.find(({ phase }) => phase === 'pulling')?.totalBytes).toBeGreaterThan(100);
    const { lower } = await store.rootfs(image, 'default/web');
    expect(readFileSync(join(lower, 'hello'), 'utf8')).toBe('web');
  });

  it('keeps the ID and digest that it has there, also where it is in the form of Docker', async () => {
    const { imageId } = addImage(layout, { tag: 'd', layers: [(at) => writeFileSync(join(at, 'x'), 'x')] });
    const reference = `${registry.host}/team/docker:v2`;
    push(`oci:${layout}:d`, reference, ['--format', 'v2s2']);
    const image = await store.ensure(reference, always);
    expect(image.imageId).toBe(imageId);
    const pinned = `${registry.host}/team/docker@${image.digest}`;
    expect(await store.ensure(pinned, always)).toMatchObject({ reference: pinned, digest: image.digest, imageId });
  });

  it('is not asked for again when it is there and need not be new', async () => {
    const { reference } = pushed('again');
    await store.ensure(reference, ifNotPresent);
    const before = await registry.requests('team/again');
    await store.ensure(reference, ifNotPresent);
    await store.ensure(reference, { ...ifNotPresent, policy: 'Never' });
    expect(await registry.requests('team/again')).toBe(before);
  });

  it('is asked for, and not fetched, when it must be new and has not changed', async () => {
    const { reference } = pushed('unchanged');
    const first = await store.ensure(reference, always);
    const before = await registry.requests('team/unchanged');
    const blobs = await registry.requests('team/unchanged/blobs');
    expect(await store.ensure(reference, always)).toEqual(first);
    expect(await registry.requests('team/unchanged')).toBeGreaterThan(before);
    expect(await registry.requests('team/unchanged/blobs')).toBe(blobs);
  });

  it('follows a tag that moved, and leaves the old one to the tasks that have it', async () => {
    const { reference } = pushed('moved', 'old');
    const old = await store.ensure(reference, always);
    const task = await store.rootfs(old, 'default/old');
    pushed('moved', 'new');
    expect(await store.ensure(reference, ifNotPresent)).toEqual(old);
    const now = await store.ensure(reference, always);
    expect(now.imageId).not.toBe(old.imageId);
    await store.prune();
    expect(readFileSync(join(task.lower, 'hello'), 'utf8')).toBe('old');
    await store.removeRootfs('default/old');
    await store.prune();
    expect(existsSync(task.lower)).toBe(false);
  });

  it('is still there for the next store', async () => {
    const { reference } = pushed('kept');
    const image = await store.ensure(reference, always);
    await store.close();
    store = await open();
    expect(await store.ensure(reference, { ...ifNotPresent, policy: 'Never' })).toEqual(image);
    expect(await store.list()).toMatchObject([{ reference, inUse: false }]);
  });

  it('is pulled once by many who want it at the same time', async () => {
    const { reference } = pushed('shared');
    const images = await Promise.all(Array.from({ length: 8 }, async () => await store.ensure(reference, always)));
    expect(new Set(images.map(({ imageId }) => imageId)).size).toBe(1);
    expect(await registry.requests(`team/shared/blobs/${images[0]?.imageId}`)).toBe(1);
  });

  it('goes on being pulled for the others when one gives up', async () => {
    const { reference } = pushed('patience');
    const impatient = new AbortController();
    const gone = store.ensure(reference, {
      ...always,
      signal: impatient.signal,
      onProgress: () => impatient.abort(new Error('enough')),
    });
    const stays = store.ensure(reference, always);
    await expect(gone).rejects.toThrow('enough');
    await expect(stays).resolves.toMatchObject({ reference });
  });

  it('leaves nothing half done when all give up', async () => {
    const { reference } = pushed('given-up');
    const impatient = new AbortController();
    const onProgress = ({ phase }: PullProgress) => phase === 'pulling' && impatient.abort(new Error('enough'));
    await expect(store.ensure(reference, { ...always, signal: impatient.signal, onProgress })).rejects.toThrow(
      'enough',
    );
    await store.close();
    expect(await store.list()).toEqual([]);
    expect(readdirSync(join(root, 'images/tmp'))).toEqual([]);
  });
});

describe('an image that cannot be had', () => {
  it('is not found: its name is said, and a later try may find it', async () => {
    await expect(store.ensure(`${registry.host}/team/none:1`, always)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/^image 127\.0\.0\.1:\d+\/team\/none:1: there is no such image/) as string,
    });
    await expect(store.ensure('docker.io/library/x:1', { ...always, policy: 'Never' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'image docker.io/library/x:1 is not on this node, and its pull policy is Never',
    });
  });

  it('is away for now when nobody listens', async () => {
    await expect(store.ensure('127.0.0.1:1/team/web:1', always)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('image 127.0.0.1:1/team/web:1: its registry cannot be reached') as string,
    });
  });

  it('is for another platform, and that is said with what there is', async () => {
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64';
    addImage(layout, { tag: 'far', architecture: other, layers: [() => {}] });
    push(`oci:${layout}:far`, `${registry.host}/team/far:1`);
    await expect(store.ensure(`${registry.host}/team/far:1`, always)).rejects.toMatchObject({
      reason: 'WrongPlatform',
      message: expect.stringMatching(new RegExp(`is for linux/${other}; this node runs linux/`)) as string,
    });
    expect(await store.list()).toEqual([]);
  });

  it('may not be a path of the node where that is not allowed', async () => {
    await expect(store.ensure(`oci:${layout}`, always)).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('a registry that asks who it is', () => {
  it('gets the credentials of the file, and no others', async () => {
    await using closed = await startRegistry(join(folder, `closed-${serial}`), { auth: true });
    addImage(layout, { tag: 'new', layers: [(at) => writeFileSync(join(at, 'hello'), 'secret')] });
    const reference = `${closed.host}/team/secret:1`;
    push(`oci:${layout}:new`, reference, ['--dest-creds', `${registryUser.name}:${registryUser.password}`]);
    await expect(store.ensure(reference, always)).rejects.toMatchObject({ code: 'permission-denied' });

    const file = (password: string) => {
      const path = join(folder, `auth-${serial}-${password.length}.json`);
      const auth = Buffer.from(`${registryUser.name}:${password}`).toString('base64');
      writeFileSync(path, JSON.stringify({ auths: { [closed.host]: { auth } } }));
      return path;
    };
    const wrong = await open({ registryAuth: file('guessed') });
    const error: unknown = await wrong.ensure(reference, always).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'permission-denied', message: expect.stringContaining(reference) as string });
    expect(JSON.stringify([error, (error as Error).cause])).not.toContain('guessed');
    const right = await open({ registryAuth: file(registryUser.password) });
    await expect(right.ensure(reference, always)).resolves.toMatchObject({ reference });
    const missing = await open({ registryAuth: join(folder, 'nowhere') });
    await expect(missing.ensure(reference, always)).rejects.toMatchObject({ code: 'failed-precondition' });
    await Promise.all([wrong.close(), right.close(), missing.close()]);
  });
});

describe('an image of the node', () => {
  it('comes from an OCI layout or an archive, by a path that begins at the base folder', async () => {
    const { imageId } = addImage(layout, { tag: '1.0', layers: [(at) => writeFileSync(join(at, 'hello'), 'local')] });
    const options = { policy: 'IfNotPresent', localPaths: true, baseDir: folder } as const;
    const image = await store.ensure(`oci:layout-${serial}:1.0`, options);
    expect(image).toMatchObject({ reference: `oci:${layout}:1.0`, imageId });
    const archive = join(folder, `archive-${serial}.tar`);
    execFileSync('skopeo', ['copy', '--quiet', `oci:${layout}:1.0`, `docker-archive:${archive}:web:1.0`]);
    const same = await store.pull(`docker-archive:./archive-${serial}.tar`, {
      ...{ baseDir: folder, signal: AbortSignal.timeout(60_000), onProgress: () => {} },
    });
    expect(same).toMatchObject({ reference: `docker-archive:${archive}`, inUse: false });
    const { lower } = await store.rootfs(same, 'default/archive');
    expect(readFileSync(join(lower, 'hello'), 'utf8')).toBe('local');
  });

  it('is not found at a path that has none', async () => {
    const options = { policy: 'Always', localPaths: true } as const;
    await expect(store.ensure(`oci:${folder}/nowhere:1`, options)).rejects.toMatchObject({ code: 'not-found' });
    writeFileSync(join(folder, 'junk.tar'), 'junk');
    await expect(store.ensure(`docker-archive:${folder}/junk.tar`, options)).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
