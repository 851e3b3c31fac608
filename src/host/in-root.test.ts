import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTextInRoot } from './in-root.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  root = join(folder, 'root');
  mkdirSync(join(root, 'etc/inner'), { recursive: true });
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/passwd'), 'outside');
  writeFileSync(join(folder, 'secret'), 'outside');
  writeFileSync(join(root, 'etc/passwd'), 'inside');
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = async (path: string) => await readTextInRoot(root, path, 100);

describe('a file of a root file system', () => {
  it.each(['/etc/passwd', 'etc/passwd', '//etc/./inner/../passwd', '/../../etc/passwd', '../etc/passwd'])(
    '%s is read below the root',
    async (path) => expect(await read(path)).toBe('inside'),
  );

  it.each([
    ['absolute', '/etc/passwd'],
    ['relative', '../etc/passwd'],
    ['up beyond the root', '../../../../../../etc/passwd'],
    ['to another link', 'first'],
  ])('is found through a link: %s', async (_, target) => {
    symlinkSync('/etc/passwd', join(root, 'etc/first'));
    symlinkSync(target, join(root, 'etc/link'));
    expect(await read('/etc/link')).toBe('inside');
  });

  it('is found through a link to a folder, of which the parent is the real one', async () => {
    mkdirSync(join(root, 'usr/etc'), { recursive: true });
    writeFileSync(join(root, 'usr/file'), 'parent');
    symlinkSync('/usr/etc', join(root, 'way'));
    expect(await read('/way/../file')).toBe('parent');
  });

  it('is not there when a link leads out of the root, or nowhere', async () => {
    symlinkSync(join(folder, 'secret'), join(root, 'etc/out'));
    symlinkSync(`../..${folder}/secret`, join(root, 'etc/up'));
    symlinkSync('nothing', join(root, 'etc/nowhere'));
    for (const name of ['out', 'up', 'nowhere', 'missing', 'passwd/below'])
      expect(await read(`/etc/${name}`), name).toBeUndefined();
  });

  it('is refused when it is no file, a circle of links, or too long', async () => {
    symlinkSync('circle', join(root, 'etc/circle'));
    execFileSync('mkfifo', [join(root, 'etc/fifo')]);
    writeFileSync(join(root, 'etc/long'), 'x'.repeat(101));
    for (const name of ['circle', 'fifo', 'long', 'inner']) {
      await expect(read(`/etc/${name}`), name).rejects.toMatchObject({ name: 'MalformedError' });
    }
  });
});
