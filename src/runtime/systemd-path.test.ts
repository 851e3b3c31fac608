import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import { systemdCgroupPath } from './systemd-path.ts';

describe('systemdCgroupPath', () => {
  it.each([
    ['runlet.slice:runlet:web', '/runlet.slice/runlet-web.scope'],
    ['a-b-c.slice::web', '/a.slice/a-b.slice/a-b-c.slice/web.scope'],
    ['-.slice:x:web', '/x-web.scope'],
    ['runlet.slice:x:own.slice', '/runlet.slice/own.slice'],
  ])('%s is %s', (triple, path) => {
    expect(systemdCgroupPath(triple)).toBe(path);
  });

  it.each(['/runlet/web', 'runlet.slice:web', 'runlet:x:web', 'runlet.slice:x:', 'a.slice:b:c:d'])(
    'refuses %s',
    (text) => {
      expect(() => systemdCgroupPath(text)).toThrow(InvalidArgumentError);
    },
  );
});
