import type { DeviceSpec } from '#oci/runtime-spec.ts';
import { listDevices } from '#host/devices.ts';

/** What runtimes make in every container by themselves. */
const usual = new Set(
  ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'console', 'ptmx'].map((name) => `/dev/${name}`),
);

/** The node's devices as a privileged task sees them, those apart that every container has of its own. */
export function nodeDevices(folder = '/dev'): readonly DeviceSpec[] {
  return listDevices(folder)
    .filter(({ path }) => !usual.has(path))
    .map(({ path, kind, major, minor, mode, uid, gid }) => ({
      path,
      type: kind,
      ...{ major, minor, fileMode: mode, uid, gid },
    }));
}
