import { describe, expect, it } from 'vitest';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { limitExcesses } from './limits.ts';
import { lostReadOnly, mountExcesses, type MountFacts, type SeenMount } from './mount-rules.ts';
import { namespaceExcesses } from './namespaces.ts';

const spec: RuntimeSpec = {
  ociVersion: '1.0.2',
  root: { path: 'rootfs', readonly: true },
  process: { cwd: '/', oomScoreAdj: 100, rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }] },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/data', type: 'bind', source: '/srv/data', options: ['rbind', 'ro'] },
    { destination: '/var/run', type: 'tmpfs', source: 'tmpfs' },
  ],
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'network' }, { type: 'mount' }],
    maskedPaths: ['/proc/kcore', '/proc/acpi'],
    readonlyPaths: ['/proc/sys'],
  },
};

const quiet = ['rw', 'nosuid', 'nodev', 'noexec'];
const right: readonly SeenMount[] = [
  { mountPoint: '/', type: 'overlay', options: ['ro'], file: '1:1' },
  { mountPoint: '/proc', type: 'proc', options: quiet },
  { mountPoint: '/data', type: 'ext4', options: ['ro'], file: '2:7' },
  { mountPoint: '/run', type: 'tmpfs', options: ['rw'] },
  { mountPoint: '/proc/kcore', type: 'tmpfs', options: ['rw'], isNull: true },
  { mountPoint: '/proc/acpi', type: 'tmpfs', options: ['ro'] },
  { mountPoint: '/proc/sys', type: 'proc', options: ['ro', 'nosuid'] },
  { mountPoint: '/dev/null', type: 'devtmpfs', options: ['rw'], isNull: true },
];

function facts(mounts: readonly SeenMount[]): MountFacts {
  return {
    ...{ mounts, rootFile: '1:1', exists: () => true },
    resolved: (path) => path.replace(/^\/var\/run/, '/run'),
    sourceFile: (source) => (source === '/srv/data' ? '2:7' : undefined),
  };
}

function limits(hard: string): string {
  return `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            10                   ${hard}                   files     \n`;
}

function cgroupMounts(options: readonly string[]): readonly SeenMount[] {
  return [
    { mountPoint: '/sys/fs/cgroup', type: 'tmpfs', options },
    { mountPoint: '/sys/fs/cgroup/cpu', type: 'cgroup', options },
  ];
}

function changed(mountPoint: string, change: Partial<SeenMount>): readonly SeenMount[] {
  return right.map((mount) => (mount.mountPoint === mountPoint ? { ...mount, ...change } : mount));
}

describe('the mounts of a restored task', () => {
  it('may be those of its specification, also behind a link, and the devices of every runtime', () => {
    expect(mountExcesses(spec, facts(right))).toEqual([]);
  });

  it.each<[string, readonly SeenMount[], string]>([
    ['another root file system', changed('/', { file: '1:2' }), '(/) is not its root file system'],
    ['a root that can be written', changed('/', { options: ['rw'] }), '(/) can be written'],
    [
      'a second root over the first',
      [...right, { mountPoint: '/', type: 'ext4', options: ['ro'], file: '1:1' }],
      '(/)',
    ],
    ['another file system', changed('/proc', { type: 'tmpfs' }), '(/proc) is something else'],
    [
      'programs of other users in it',
      changed('/proc', { options: ['rw', 'nodev', 'noexec'] }),
      '(/proc) is not nosuid',
    ],
    ['something else of the node', changed('/data', { file: '2:8' }), '(/data) is something else'],
    ['a folder that can be written', changed('/data', { options: ['rw'] }), '(/data) is not ro'],
    ['a volume that is missing', right.filter(({ mountPoint }) => mountPoint !== '/data'), '(/data) is not there'],
    ['what is to be masked', changed('/proc/kcore', { isNull: false }), '(/proc/kcore) is not masked'],
    ['a mask that can be written', changed('/proc/acpi', { options: ['rw'] }), '(/proc/acpi) is not masked'],
    ['settings of the kernel', changed('/proc/sys', { options: ['rw'] }), '(/proc/sys) can be written'],
    ['a stranger', [...right, { mountPoint: '/mnt', type: 'ext4', options: ['rw'] }], '(/mnt) is not of its spec'],
    [
      'a stranger over a mount',
      [...right, { mountPoint: '/data', type: 'ext4', options: ['ro'], file: '2:7' }],
      '(/data)',
    ],
  ])('may not be %s', (_, mounts, said) => {
    expect(
      mountExcesses(spec, facts(mounts))
        .map(({ field, what }) => `${field} ${what}`)
        .join(),
    ).toContain(said);
  });

  it('may be what lies below a volume on the node as well', () => {
    const below = { mountPoint: '/data/disk', type: 'ext4', options: ['ro'], file: '3:1' };
    const sourceFile = (source: string) => (source === '/srv/data/disk' ? '3:1' : facts(right).sourceFile(source));
    expect(mountExcesses(spec, { ...facts([...right, below]), sourceFile })).toEqual([]);
    expect(mountExcesses(spec, facts([...right, below])).map(({ field }) => field)).toEqual(['mountinfo (/data/disk)']);
  });

  it('are its own business where it may mount', () => {
    const mighty = { ...spec, process: { cwd: '/', capabilities: { bounding: ['CAP_SYS_ADMIN'] } } };
    expect(mountExcesses(mighty, facts([]))).toEqual([]);
  });

  it('need no mask over what is not there', () => {
    const mounts = right.filter(({ mountPoint }) => mountPoint !== '/proc/kcore' && mountPoint !== '/proc/sys');
    const found = mountExcesses(spec, { ...facts(mounts), exists: (path) => path === '/proc/acpi' });
    expect(found).toEqual([]);
  });
});

describe('what was to be read-only and is not', () => {
  const cgroups: RuntimeSpec = {
    ...spec,
    mounts: [
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
      ...(spec.mounts ?? []),
    ],
  };

  it('is found, so that it can be made good', () => {
    expect(lostReadOnly(spec, facts(right))).toEqual([]);
    const places = ['/', '/data', '/proc/sys'];
    const lost = right.map((mount) => (places.includes(mount.mountPoint) ? { ...mount, options: ['rw'] } : mount));
    expect(lostReadOnly(spec, facts(lost))).toEqual(places);
    expect(lostReadOnly(cgroups, facts([...right, ...cgroupMounts(['rw'])]))).toEqual([
      '/sys/fs/cgroup',
      '/sys/fs/cgroup/cpu',
    ]);
  });

  it('is refused where it stays so, each controller as well', () => {
    expect(mountExcesses(cgroups, facts([...right, ...cgroupMounts(['ro'])]))).toEqual([]);
    const found = mountExcesses(cgroups, facts([...right, ...cgroupMounts(['rw'])]));
    expect(found.map(({ field }) => field)).toEqual(['mountinfo (/sys/fs/cgroup)', 'mountinfo (/sys/fs/cgroup/cpu)']);
  });
});

describe('the namespaces of a restored process', () => {
  const first = { pid: 'pid:[1]', net: 'net:[1]', mnt: 'mnt:[1]', uts: 'uts:[9]', user: 'user:[9]' };
  const node = { pid: 'pid:[9]', net: 'net:[9]', mnt: 'mnt:[9]', uts: 'uts:[9]', user: 'user:[9]' };
  const found = (own: object) =>
    namespaceExcesses(spec, { own, first, foreign: [node, { mnt: 'mnt:[8]' }], user: node.user }).map(
      ({ field }) => field,
    );

  it('may be those of its first process, or of its own making below them', () => {
    expect(found(first)).toEqual([]);
    expect(found({ ...first, mnt: 'mnt:[2]' })).toEqual([]);
  });

  it('may not be the node’s or this agent’s where the task has its own', () => {
    expect(found({ ...first, net: node.net })).toEqual(['ns/net']);
    expect(found({ ...first, mnt: 'mnt:[8]' })).toEqual(['ns/mnt']);
  });

  it('may not be a user namespace, in which it would have every capability', () => {
    expect(found({ ...first, user: 'user:[1]' })).toEqual(['ns/user']);
  });
});

describe('the limits of a restored process', () => {
  it('may be those of its specification, or narrower', () => {
    expect(limitExcesses(spec, { limits: limits('20'), oomScoreAdj: '100\n' })).toEqual([]);
    expect(limitExcesses(spec, { limits: limits('10'), oomScoreAdj: '1000\n' })).toEqual([]);
  });

  it('may not be wider', () => {
    const wide = limitExcesses(spec, { limits: limits('21'), oomScoreAdj: '99\n' });
    expect(wide.map(({ field }) => field)).toEqual(['limits (RLIMIT_NOFILE)', 'oom_score_adj']);
    expect(limitExcesses(spec, { limits: limits('unlimited'), oomScoreAdj: '100' })).toHaveLength(1);
  });
});
