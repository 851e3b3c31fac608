import { dirname, join } from 'node:path';
import { UnavailableError } from '#errors/errors.ts';
import { listNames, makeFolder, removeTree, setMode, writeDurable } from '#host/files.ts';
import { isMountPoint, mount } from '#host/mounts.ts';
import type { ConfigData, ConfigSource } from './config-source.ts';
import type { PlannedConfig } from './volumes.ts';

const folderMode = 0o755;

/**
 * Writes the keys of a ConfigMap or Secret as files into the volume's folder, in place of those of an earlier start; those
 * of a Secret into memory. Throws UnavailableError while object or key are not there.
 */
export async function writeConfigVolume(volume: PlannedConfig, namespace: string, source: ConfigSource): Promise<void> {
  const data = await read(volume, namespace, source);
  if (volume.source === 'Secret' && !isMountPoint(volume.path)) {
    await mount({ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=755'] }, volume.path);
  }
  for (const name of await listNames(volume.path)) await removeTree(join(volume.path, name));
  await setMode(volume.path, folderMode);
  for (const item of filesOf(volume, data, namespace)) {
    const path = join(volume.path, item.path);
    await makeFolder(dirname(path), folderMode);
    await writeDurable(path, item.value, item.mode);
    await setMode(path, item.mode);
  }
}

async function read(volume: PlannedConfig, namespace: string, source: ConfigSource): Promise<ConfigData> {
  const data = await (volume.source === 'ConfigMap'
    ? source.configMap(namespace, volume.object)
    : source.secret(namespace, volume.object));
  if (data) return data;
  if (volume.optional) return new Map();
  throw new UnavailableError(
    `volume ${volume.name}: there is no ${volume.source} ${volume.object} in namespace ${namespace}: make it, or mark it optional`,
  );
}

interface ConfigFile {
  readonly path: string;
  readonly value: Uint8Array;
  readonly mode: number;
}

function filesOf(volume: PlannedConfig, data: ConfigData, namespace: string): readonly ConfigFile[] {
  const { items, defaultMode } = volume;
  if (!items) return [...data].map(([path, value]) => ({ path, value, mode: defaultMode }));
  return items.flatMap(({ key, path, mode = defaultMode }) => {
    const value = data.get(key);
    if (value !== undefined) return [{ path, value, mode }];
    if (volume.optional) return [];
    throw new UnavailableError(
      `volume ${volume.name}: ${volume.source} ${volume.object} in namespace ${namespace} has no key ${key}`,
    );
  });
}
