import { listNames, removeFile, fileSize, renameSync } from '#host/files.ts';
import { diskUsage } from '#host/trees.ts';
import { join } from 'node:path';
import { imageIdOf } from './folders.ts';
import type { ImageFolders } from './folders.ts';
import type { ImageRecord } from './records.ts';

export interface Usage {
  /** Image IDs that layers are made of. */
  readonly imageIds: ReadonlySet<string>;
  /** References, in full, that somebody outside names. */
  readonly references: ReadonlySet<string>;
}

/** Whether anybody uses an image. */
export function isUsed(record: ImageRecord, usage: Usage): boolean {
  return usage.imageIds.has(record.imageId) || usage.references.has(record.reference);
}

/** The images that may go: used by nobody, and neither used nor pulled since a moment. Pure. */
export function planRemoval(
  records: readonly ImageRecord[],
  usage: Usage & { readonly lastUsedMs: (imageId: string) => number },
  untouchedSinceMs: number,
): readonly ImageRecord[] {
  return records.filter(
    (record) =>
      !isUsed(record, usage) && Math.max(record.pulledAtMs, usage.lastUsedMs(record.imageId)) <= untouchedSinceMs,
  );
}

/**
 * Removes unpacked folders and blobs that no image and no layer needs, and returns how many bytes that freed. Nobody may be
 * pulling meanwhile: what is being pulled has no record yet.
 */
export async function sweep(
  folders: ImageFolders,
  records: readonly ImageRecord[],
  layerIds: ReadonlySet<string>,
): Promise<number> {
  const neededIds = new Set([...records.map(({ imageId }) => imageId), ...layerIds]);
  const neededBlobs = new Set(records.flatMap(({ blobs }) => blobs));
  let bytes = 0;
  for (const name of await listNames(folders.unpacked)) {
    if (neededIds.has(imageIdOf(name))) continue;
    bytes += await removeUnpacked(join(folders.unpacked, name), folders);
  }
  for (const digest of await listBlobs(folders)) {
    if (neededBlobs.has(digest)) continue;
    bytes += fileSize(folders.blob(digest)) ?? 0;
    await removeFile(folders.blob(digest));
  }
  return bytes;
}

/** Away at once, so that a crash in the middle leaves no half of an image under its name. */
async function removeUnpacked(path: string, folders: ImageFolders): Promise<number> {
  const bytes = await diskUsage(path);
  await using temporary = await folders.temporary();
  renameSync(path, join(temporary.path, 'removed'));
  return bytes;
}

async function listBlobs(folders: ImageFolders): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const algorithm of await listNames(folders.blobs)) {
    for (const hex of await listNames(join(folders.blobs, algorithm))) digests.push(`${algorithm}:${hex}`);
  }
  return digests;
}
