import { join } from 'node:path';
import { parseBytes } from './quantity.ts';
import type { NodeTask, Volume } from './types.ts';

export interface VolumeContext {
  /** A folder of this object's own that lives as long as the object's task: emptyDirs and staged mounts are in it. */
  readonly folder: string;
  /** Folders that hostPaths must be below. */
  readonly hostPathAllow: readonly string[];
}

/** What applyVolumes will make: a value, so that it can be looked at before anything is touched. */
export interface VolumePlan {
  readonly folder: string;
  readonly namespace: string;
  readonly volumes: readonly PlannedVolume[];
  readonly mounts: readonly PlannedMount[];
  readonly network: 'none' | 'host';
  readonly hostname: string;
  readonly hostPathAllow: readonly string[];
}

export type PlannedVolume =
  /** `sizeBytes` undefined: half of the machine's memory, the kernel's own default; the task's memory limit counts. */
  | { readonly kind: 'memory'; readonly name: string; readonly path: string; readonly sizeBytes?: bigint }
  | { readonly kind: 'disk'; readonly name: string; readonly path: string }
  | { readonly kind: 'host'; readonly name: string; readonly path: string; readonly type: HostPathType }
  | PlannedConfig;

export interface PlannedConfig {
  readonly kind: 'config';
  readonly name: string;
  readonly path: string;
  readonly source: 'ConfigMap' | 'Secret';
  readonly object: string;
  readonly optional: boolean;
  readonly defaultMode: number;
  readonly items?: readonly { readonly key: string; readonly path: string; readonly mode?: number }[];
}

export type HostPathType = NonNullable<NonNullable<Volume['hostPath']>['type']>;

export interface PlannedMount {
  /** The field, for messages. */
  readonly field: string;
  readonly volume: string;
  readonly mountPath: string;
  readonly subPath: string;
  readonly readOnly: boolean;
  /** Where the volume, or its part, is mounted on the node for the runtime to take it from. */
  readonly stage: string;
}

const usualFileMode = 0o644;

/** What a task's volumes need on the node. Pure. */
export function planVolumes(task: NodeTask, context: VolumeContext): VolumePlan {
  const { spec, metadata } = task;
  const volumes = spec.volumes ?? [];
  return {
    folder: context.folder,
    namespace: metadata.namespace,
    volumes: volumes.map((volume) => planVolume(volume, join(context.folder, 'volumes', volume.name))),
    mounts: (spec.volumeMounts ?? []).map((mount, index) => ({
      field: `spec.volumeMounts[${index}]`,
      volume: mount.name,
      mountPath: mount.mountPath,
      subPath: mount.subPath ?? '',
      // What the cluster wrote is the cluster's: a task may not change it, as in a Pod.
      readOnly: (mount.readOnly ?? false) || volumes.some((volume) => volume.name === mount.name && isConfig(volume)),
      stage: join(context.folder, 'mounts', String(index)),
    })),
    network: spec.network?.mode === 'Host' ? 'host' : 'none',
    hostname: metadata.name,
    hostPathAllow: context.hostPathAllow,
  };
}

/** What a person should know of the plan: limits that nobody keeps. */
export function volumeWarnings(task: NodeTask): readonly string[] {
  return (task.spec.volumes ?? []).flatMap(({ name, emptyDir }) =>
    emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory'
      ? [`volume ${name}: nothing keeps sizeLimit on disk; medium Memory would`]
      : [],
  );
}

function isConfig(volume: Volume): boolean {
  return volume.configMap !== undefined || volume.secret !== undefined;
}

function planVolume(volume: Volume, path: string): PlannedVolume {
  const { name, emptyDir, hostPath, configMap, secret } = volume;
  if (hostPath) return { kind: 'host', name, path: hostPath.path, type: hostPath.type ?? '' };
  if (configMap) return { ...planConfig(configMap), name, path, source: 'ConfigMap', object: configMap.name };
  if (secret) return { ...planConfig(secret), name, path, source: 'Secret', object: secret.secretName };
  if (emptyDir?.medium !== 'Memory') return { kind: 'disk', name, path };
  return {
    kind: 'memory',
    name,
    path,
    ...(emptyDir.sizeLimit === undefined ? {} : { sizeBytes: parseBytes(emptyDir.sizeLimit) }),
  };
}

function planConfig(
  config: NonNullable<Volume['configMap'] | Volume['secret']>,
): Pick<PlannedConfig, 'kind' | 'optional' | 'defaultMode' | 'items'> {
  return {
    kind: 'config',
    optional: config.optional ?? false,
    defaultMode: config.defaultMode ?? usualFileMode,
    ...(config.items ? { items: config.items } : {}),
  };
}
