import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TerminalError } from '#errors/errors.ts';
import type { RootfsUser } from './images.ts';
import { parseGroup, parsePasswd, resolveUser, userOf } from './users.ts';

const passwd = parsePasswd(
  'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:App,,,:/home/app:/bin/sh\nweb:x:33:33::/srv:/bin/false\n7:x:70:70::/seven:\n',
);
const group = parseGroup(
  'root:x:0:\napp:x:1000:\nextra:x:2000:app,web\nmore:x:2001:web,app\nweb:x:33:web\nextra:x:2000:app\n',
);
const resolve = (text: string) => resolveUser(text, passwd, group);

describe('a user', () => {
  it.each([
    ['', { uid: 0, gid: 0, additionalGids: [], home: '/root' }],
    ['app', { uid: 1000, gid: 1000, additionalGids: [2000, 2001], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1000, additionalGids: [2000, 2001], home: '/home/app' }],
    ['app:extra', { uid: 1000, gid: 2000, additionalGids: [], home: '/home/app' }],
    ['app:7', { uid: 1000, gid: 7, additionalGids: [], home: '/home/app' }],
    ['app:', { uid: 1000, gid: 1000, additionalGids: [2000, 2001], home: '/home/app' }],
    [':extra', { uid: 0, gid: 2000, additionalGids: [], home: '/root' }],
    ['web', { uid: 33, gid: 33, additionalGids: [2000, 2001], home: '/srv' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [], home: '/' }],
    ['4242:4343', { uid: 4242, gid: 4343, additionalGids: [], home: '/' }],
    ['7', { uid: 70, gid: 70, additionalGids: [], home: '/seven' }],
  ])('%j is resolved', (text, user) => expect(resolve(text)).toEqual(user));

  it.each(['nobody-here', 'app:nogroup', '2147483648', '-1', '1.5', '0x10', '1e3', 'app:-1'])(
    '%j is nobody',
    (text) => {
      expect(() => resolve(text)).toThrow(TerminalError);
    },
  );

  it('has no home that is no path', () => {
    const users = parsePasswd('a:x:1:1::relative:/bin/sh\nb:x:2:2\nc:x:3:3::/with\0nul:');
    expect(users.map(({ home }) => home)).toEqual(['/', '/', '/']);
  });

  it('is not looked for in lines that do not follow the format', () => {
    const text =
      '# app:x:1:1::/:\n\napp:x:one:1::/:\napp:x::1::/:\n:x:0:0::/:\napp:x:99999999999:1::/:\r\n  app:x:5:6::/h:\r\n+@nis::::::\n';
    expect(parsePasswd(text)).toEqual([{ name: 'app', uid: 5, gid: 6, home: '/h' }]);
    expect(parseGroup('a:x:b:c\n:x:1:\ng:x:1:, a,b ,\n')).toEqual([{ name: 'g', gid: 1, members: [' a', 'b '] }]);
  });

  it('of any files is somebody within bounds, or nobody', () => {
    const line = fc.array(fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom('app', '0', '')), {
      maxLength: 8,
    });
    const file = fc.array(line.map((fields) => fields.join(':'))).map((lines) => lines.join('\n'));
    const property = fc.property(file, file, fc.constantFrom('app', '0', '', 'app:app', '5'), (users, groups, text) => {
      const user = resolvedOrNobody(text, users, groups);
      const ids = user ? [user.uid, user.gid, ...user.additionalGids] : [];
      return ids.every((id) => id >= 0 && id < 2 ** 31) && (user?.home.startsWith('/') ?? true);
    });
    expect(() => fc.assert(property)).not.toThrow();
  });
});

function resolvedOrNobody(text: string, users: string, groups: string): RootfsUser | undefined {
  try {
    return resolveUser(text, parsePasswd(users), parseGroup(groups));
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  }
}

describe('a user of a root file system', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('is looked up in its own files', async () => {
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'app:x:5:6::/app:');
    writeFileSync(join(root, 'etc/group'), 'more:x:7:app');
    expect(await userOf(root, 'app')).toEqual({ uid: 5, gid: 6, additionalGids: [7], home: '/app' });
  });

  it('is never looked up in those of the node', async () => {
    mkdirSync(join(root, 'etc'));
    symlinkSync('/etc/passwd', join(root, 'etc/passwd'));
    symlinkSync('../../../../../../etc/group', join(root, 'etc/group'));
    await expect(userOf(root, 'root:root')).rejects.toThrow('too many links');
    await expect(userOf(join(root, 'etc'), 'root')).rejects.toMatchObject({ reason: 'InvalidSpec' });
  });

  it('is a number where there are no such files', async () => {
    expect(await userOf(root, '5:6')).toEqual({ uid: 5, gid: 6, additionalGids: [], home: '/' });
    await expect(userOf(root, 'app')).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: `there is no user "app" in the image's /etc/passwd`,
    });
  });
});
