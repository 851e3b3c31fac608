import { errorMessage } from '#errors/errors.ts';
import { oneOf } from './problem.ts';
import type { Problem } from './problem.ts';
import { parseBytes } from './quantity.ts';
import type { Volume, VolumeMount } from './types.ts';

/** The rules of volumes and their mounts. */
export function volumeProblems(volumes: readonly Volume[], mounts: readonly VolumeMount[]): readonly Problem[] {
  const names = volumes.map((volume) => volume.name);
  return [
    ...volumes.flatMap((volume, index) => sourceProblems(volume, `spec.volumes[${index}]`)),
    ...repeated(names).map((index) => ({
      path: `spec.volumes[${index}].name`,
      rule: 'is taken: names must be unique',
    })),
    ...repeated(mounts.map((mount) => mount.mountPath)).map((index) => ({
      path: `spec.volumeMounts[${index}].mountPath`,
      rule: 'is taken: mount paths must be unique',
    })),
    ...mounts.flatMap((mount, index) => mountProblems(mount, names, `spec.volumeMounts[${index}]`)),
  ];
}

function sourceProblems(volume: Volume, path: string): readonly Problem[] {
  const problems = [...oneOf(path, volume, ['emptyDir', 'hostPath', 'configMap', 'secret'])];
  const size = volume.emptyDir?.sizeLimit;
  const wrong = size === undefined ? undefined : sizeProblem(size);
  if (wrong) problems.push({ path: `${path}.emptyDir.sizeLimit`, rule: wrong });
  return problems;
}

function sizeProblem(size: string | number): string | undefined {
  try {
    return parseBytes(size) > 0n ? undefined : 'must be more than 0';
  } catch (error) {
    return errorMessage(error);
  }
}

function mountProblems(mount: VolumeMount, names: readonly string[], path: string): readonly Problem[] {
  const place = normalised(mount.mountPath);
  const problems: Problem[] = [];
  if (!names.includes(mount.name))
    problems.push({ path: `${path}.name`, rule: 'must be the name of one of spec.volumes' });
  if (place === '/') problems.push({ path: `${path}.mountPath`, rule: 'must not be the root: use image or rootfs' });
  // runc refuses mounts inside of /proc, because a process that sees a false /proc may be tricked.
  if (place === '/proc' || place.startsWith('/proc/')) {
    problems.push({ path: `${path}.mountPath`, rule: 'must not be in /proc' });
  }
  return problems;
}

/** The indices of what stood earlier in the list already. */
function repeated(values: readonly string[]): readonly number[] {
  const seen = new Set<string>();
  return values.flatMap((value, index) => {
    const key = normalised(value);
    if (seen.has(key)) return [index];
    seen.add(key);
    return [];
  });
}

function normalised(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return path.startsWith('/') ? `/${parts.join('/')}` : parts.join('/');
}
