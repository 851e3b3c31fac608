import { describe, expect, it } from 'vitest';
import { mountPoints, parseHierarchy } from './hierarchy.ts';

const v1 = [
  '30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '31 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '32 25 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd',
  '40 31 0:28 / /elsewhere rw - cgroup cgroup rw,memory',
];
const v2 = '33 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate';

describe('parseHierarchy', () => {
  it('finds the controllers of v1 where they were mounted first', () => {
    const { version, controllers, unified } = parseHierarchy(v1.join('\n'));
    expect(version).toBe(1);
    expect(Object.fromEntries(controllers)).toEqual({
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
      memory: '/sys/fs/cgroup/memory',
      'name=systemd': '/sys/fs/cgroup/systemd',
    });
    expect(unified).toBeUndefined();
  });

  it('takes a hybrid machine for v1 with a tree beside', () => {
    const hierarchy = parseHierarchy([...v1, v2].join('\n'));
    expect(hierarchy).toMatchObject({ version: 1, unified: '/sys/fs/cgroup/unified' });
    expect(mountPoints(hierarchy)).toEqual([
      '/sys/fs/cgroup/cpu,cpuacct',
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/systemd',
      '/sys/fs/cgroup/unified',
    ]);
  });

  it('knows v2 by having nothing else', () => {
    expect(parseHierarchy(v2)).toEqual({ version: 2, controllers: new Map(), unified: '/sys/fs/cgroup/unified' });
  });
});
