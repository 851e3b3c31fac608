import { join } from 'node:path';
import { FailedPreconditionError, NotFoundError, TerminalError, errorMessage } from '#errors/errors.ts';
import { openBeneath } from '#host/beneath.ts';
import type { Place, PlaceKind } from '#host/beneath.ts';
import { makeFolder, makePrivateFile, realPath, removeTree, setMode } from '#host/files.ts';
import { isMountPoint, mount, mountsBelow, unmount } from '#host/mounts.ts';
import type { MountSpec } from '#oci/runtime-spec.ts';
import type { ConfigSource } from './config-source.ts';
import { writeConfigVolume } from './config-volume.ts';
import { networkMounts } from './network-files.ts';
import type { HostPathType, PlannedMount, PlannedVolume, VolumePlan } from './volumes.ts';

export interface ApplyVolumes {
  readonly config: ConfigSource;
  readonly signal?: AbortSignal;
}

/** Anybody in the container may write: who that is, is the image's affair. */
const emptyDirMode = 0o777;

/**
 * Makes what a plan says and returns the mounts of the container. Safe to repeat: what is there stays, with its data; mounts
 * are made anew. Throws TerminalError for what the node's administrator does not allow, FailedPreconditionError or
 * NotFoundError for what is not as it should be now.
 */
export async function applyVolumes(plan: VolumePlan, options: ApplyVolumes): Promise<readonly MountSpec[]> {
  await makeFolder(plan.folder, 0o711);
  const used = new Set(plan.mounts.map((planned) => planned.volume));
  for (const volume of plan.volumes) if (used.has(volume.name)) await prepare(volume, plan, options);
  const mounts: MountSpec[] = [];
  for (const planned of plan.mounts) {
    const volume = plan.volumes.find(({ name }) => name === planned.volume);
    if (!volume) throw new TerminalError('InvalidSpec', `${planned.field}: there is no volume ${planned.volume}`);
    mounts.push(await stage(planned, volume, plan, options.signal));
  }
  const taken = new Set(mounts.map((made) => made.destination));
  return [...(await networkMounts(plan)).filter((made) => !taken.has(made.destination)), ...mounts];
}

/** Lets go of what was mounted for a run that is over; the data of the volumes stays for the next one. */
export async function releaseMounts(folder: string): Promise<void> {
  for (const { mountPoint } of mountsBelow(join(folder, 'mounts'))) await unmount(mountPoint);
}

/** Unmounts and removes all that applyVolumes made below a folder; what hostPaths hold stays. Nothing there is success. */
export async function removeVolumes(folder: string): Promise<void> {
  for (const { mountPoint } of mountsBelow(folder)) await unmount(mountPoint);
  // Removing goes through what is still mounted, and that may be the node's own data.
  const left = mountsBelow(folder);
  if (left[0]) throw new FailedPreconditionError(`cannot remove ${folder}: ${left[0].mountPoint} is still mounted`);
  await removeTree(folder);
}

async function prepare(volume: PlannedVolume, plan: VolumePlan, { config, signal }: ApplyVolumes): Promise<void> {
  if (volume.kind === 'host') return;
  if (volume.kind === 'memory' && isMountPoint(volume.path)) return;
  await makeFolder(volume.path);
  if (volume.kind === 'config') return await writeConfigVolume(volume, plan.namespace, config);
  if (volume.kind === 'memory') {
    const size = volume.sizeBytes === undefined ? [] : [`size=${volume.sizeBytes}`];
    await mount(
      { type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=777', ...size] },
      volume.path,
      signal,
    );
  }
  // mkdir(2) takes the umask off.
  await setMode(volume.path, emptyDirMode);
}

/** Mounts the place that was looked at, held open, where only the agent can change what is below: the runtime takes it from there. */
async function stage(
  planned: PlannedMount,
  volume: PlannedVolume,
  plan: VolumePlan,
  signal: AbortSignal | undefined,
): Promise<MountSpec> {
  await using place = await openPlace(planned, volume, plan);
  const target = `${planned.stage}.${place.kind === 'folder' ? 'folder' : 'file'}`;
  await unmount(target);
  await makeFolder(join(plan.folder, 'mounts'), 0o700);
  if (place.kind === 'folder') await makeFolder(target);
  else await makePrivateFile(target);
  // Private, because what is unmounted here would else be unmounted on the node as well.
  await mount({ type: '', source: place.path, options: ['rbind', 'rprivate'] }, target, signal);
  return {
    destination: planned.mountPath,
    type: 'bind',
    source: target,
    options: ['rbind', 'rprivate', planned.readOnly ? 'ro' : 'rw'],
  };
}

async function openPlace(planned: PlannedMount, volume: PlannedVolume, plan: VolumePlan): Promise<Place> {
  const { subPath } = planned;
  try {
    if (volume.kind !== 'host') return await openBeneath(volume.path, subPath, subPath ? 'folder' : undefined);
    if (!subPath) return await openHostPath(volume.path, volume.type, plan.hostPathAllow);
    await using root = await openHostPath(volume.path, volume.type, plan.hostPathAllow);
    return await openBeneath(root.path, subPath, 'folder');
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new NotFoundError(`${planned.field}: volume ${volume.name}: ${errorMessage(error)}`, { cause: error });
  }
}

const kindOfType: Readonly<Record<HostPathType, PlaceKind | undefined>> = {
  '': undefined,
  Directory: 'folder',
  DirectoryOrCreate: 'folder',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket',
  CharDevice: 'charDevice',
  BlockDevice: 'blockDevice',
};

async function openHostPath(path: string, type: HostPathType, allowed: readonly string[]): Promise<Place> {
  const root = await allowedRoot(path, allowed);
  if (root === undefined) {
    throw new TerminalError('PolicyViolation', `hostPath ${path} is below no folder of --host-path-allow on this node`);
  }
  const create = type === 'DirectoryOrCreate' ? 'folder' : type === 'FileOrCreate' ? 'file' : undefined;
  const place = await openBeneath(root, path.slice(root.length), create);
  const wanted = kindOfType[type];
  if (wanted === undefined || place.kind === wanted) return place;
  await place[Symbol.asyncDispose]();
  throw new FailedPreconditionError(`hostPath ${path} is no ${type.replace('OrCreate', '')}: it is a ${place.kind}`);
}

/** The allowed folder, as it was written, that a path begins with: whether it stays there is openBeneath's to see. */
async function allowedRoot(path: string, allowed: readonly string[]): Promise<string | undefined> {
  for (const folder of allowed) {
    const root = folder.replace(/\/+$/, '');
    if ((path === root || path.startsWith(`${root}/`)) && (await realPath(root || '/')) !== undefined)
      return root || '/';
  }
  return undefined;
}
