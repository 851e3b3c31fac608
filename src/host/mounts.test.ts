import { describe, expect, it } from 'vitest';
import { isMountPoint, mountsBelow, parseMountInfo, readMounts } from './mounts.ts';

describe('parseMountInfo', () => {
  it('reads place, kind, source and super options, optional fields or not', () => {
    const text = [
      '29 23 0:26 / /sys/fs/cgroup/cpu rw,nosuid shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct',
      '36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue',
      '',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      {
        mountPoint: '/sys/fs/cgroup/cpu',
        type: 'cgroup',
        source: 'cgroup',
        options: ['rw', 'nosuid'],
        superOptions: ['rw', 'cpu', 'cpuacct'],
      },
      {
        mountPoint: '/mnt2',
        type: 'ext3',
        source: '/dev/root',
        options: ['rw', 'noatime'],
        superOptions: ['rw', 'errors=continue'],
      },
    ]);
  });

  it('takes escapes back', () => {
    const [entry] = parseMountInfo(String.raw`1 2 0:3 / /a\040b\011c\134d rw - tmpfs my\040fs rw`);
    expect(entry).toMatchObject({ mountPoint: '/a b\tc\\d', source: 'my fs' });
  });

  it('leaves out what is no line of it', () => {
    expect(parseMountInfo('nonsense\n1 2 3\n - \n')).toEqual([]);
  });
});

describe('the mounts of this machine', () => {
  it('have /proc at its place', () => {
    expect(isMountPoint('/proc')).toBe(true);
    expect(isMountPoint('/proc/self')).toBe(false);
  });

  it('are found below a folder, and not below one that only begins alike', () => {
    expect(mountsBelow('/proc').at(-1)?.mountPoint).toBe('/proc');
    expect(mountsBelow('/pro')).toEqual([]);
    const [proc] = mountsBelow('/proc', readMounts()).slice(-1);
    expect(proc?.mountPoint).toBe('/proc');
    expect(mountsBelow('/proc', [])).toEqual([]);
  });
});
