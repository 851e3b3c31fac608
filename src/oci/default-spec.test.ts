import { describe, expect, it } from 'vitest';
import { defaultCapabilities } from './capabilities.ts';
import { defaultSpec, type SpecRequest } from './default-spec.ts';

const request: SpecRequest = {
  args: ['/bin/true'],
  env: [],
  cwd: '/',
  user: { uid: 0, gid: 0 },
  terminal: false,
  rootPath: 'rootfs',
  readOnlyRoot: false,
  network: 'none',
  capabilities: defaultCapabilities,
  noNewPrivileges: true,
  unmasked: false,
  privileged: false,
  mounts: [],
  resources: {},
};
const namespaces = (change: Partial<SpecRequest>) =>
  defaultSpec({ ...request, ...change }).linux?.namespaces?.map(({ type }) => type);

const mount = (destination: string) => ({ destination, type: 'bind', source: '/srv' });

describe('defaultSpec', () => {
  it('is confined: own namespaces, no new privileges, hidden paths, usual devices only', () => {
    const { process, linux } = defaultSpec(request);
    expect(process).toMatchObject({ noNewPrivileges: true, oomScoreAdj: 0 });
    expect(process?.capabilities).toMatchObject({ inheritable: [], ambient: [] });
    expect(linux?.maskedPaths).toContain('/proc/kcore');
    expect(linux?.readonlyPaths).toContain('/proc/sys');
    expect(linux?.resources?.devices?.[0]).toEqual({ allow: false, access: 'rwm' });
    expect(namespaces({})).toEqual(['pid', 'ipc', 'uts', 'mount', 'cgroup', 'network']);
  });

  it('shares the network of the node only where that is asked', () => {
    expect(namespaces({ network: 'host' })).not.toContain('network');
  });

  it('opens everything for a privileged container', () => {
    const { linux, mounts } = defaultSpec({ ...request, privileged: true });
    expect(linux?.maskedPaths).toBeUndefined();
    expect(linux?.resources?.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(mounts?.find(({ destination }) => destination === '/sys')?.options).toContain('rw');
  });

  it('puts mounts of its own over the usual ones, outer folders first', () => {
    const { mounts } = defaultSpec({ ...request, mounts: [mount('/data/in/side'), mount('/dev/shm'), mount('/data')] });
    expect(mounts?.slice(-3).map(({ destination }) => destination)).toEqual(['/data', '/dev/shm', '/data/in/side']);
    expect(mounts?.filter(({ destination }) => destination === '/dev/shm')).toHaveLength(1);
  });

  it('leaves away what is not asked for', () => {
    const spec = defaultSpec(request);
    expect(Object.keys(spec)).not.toContain('hostname');
    expect(Object.keys(spec.linux ?? {})).not.toContain('seccomp');
    expect(Object.keys(spec.process ?? {})).not.toContain('apparmorProfile');
  });
});
