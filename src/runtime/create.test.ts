import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '#errors/errors.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import { parseNamespace, parseTaskId } from '#task/ids.ts';
import { noIo } from '#task/io.ts';
import type { TaskRecord } from '#task/runtime.ts';
import { prepareSpec } from './create.ts';

const record: TaskRecord = {
  namespace: parseNamespace('default'),
  id: parseTaskId('web'),
  runtime: 'runc',
  runtimeRoot: '/r',
  cgroupPath: '/runlet/default/web',
  io: noIo,
  rootfs: [],
  ownPidNamespace: true,
  owner: {},
  createdAtMs: 0,
};
const spec: RuntimeSpec = {
  ociVersion: '1.0.2',
  process: { user: { uid: 0, gid: 0 }, args: ['x'], cwd: '/', terminal: true },
  root: { path: '/srv/root', readonly: true },
  linux: { cgroupsPath: '/elsewhere', maskedPaths: ['/x'] },
};

describe('prepareSpec', () => {
  it('puts the task into its own cgroup and gives it the streams that it has', () => {
    expect(prepareSpec(spec, record, '/b/rootfs')).toEqual({
      ...spec,
      process: { ...spec.process, terminal: false },
      linux: { cgroupsPath: '/runlet/default/web', maskedPaths: ['/x'] },
    });
  });

  it('takes the root of the bundle where there are mounts for it', () => {
    const mounted = { ...record, rootfs: [{ type: 'overlay', source: 'overlay', options: [] }] };
    expect(prepareSpec(spec, mounted, '/b/rootfs').root).toEqual({ path: '/b/rootfs', readonly: true });
  });

  it('refuses a task without a root', () => {
    const { root: _, ...rootless } = spec;
    expect(() => prepareSpec(rootless, record, '/b/rootfs')).toThrow(InvalidArgumentError);
    expect(() => prepareSpec({ ...spec, root: { path: 'rootfs' } }, record, '/b/rootfs')).toThrow('default/web');
  });
});
