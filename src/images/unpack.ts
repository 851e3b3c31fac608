import { join } from 'node:path';
import { CancelledError, ResourceExhaustedError } from '#errors/errors.ts';
import { runCommand } from '#host/command.ts';
import { exists, makeFolder, removeFile, writeAtomicSync } from '#host/files.ts';
import { makeLink, publishTree } from '#host/trees.ts';
import { imageFailure } from './failure.ts';
import type { ImageFolders } from './folders.ts';
import { endsWithUs } from './skopeo.ts';

export interface Unpackable {
  readonly reference: string;
  readonly imageId: string;
  /** Digest of its OCI manifest among the blobs. */
  readonly manifest: string;
  /** Length of it. */
  readonly manifestBytes: number;
  /** All that it consists of. */
  readonly blobs: readonly string[];
}

/**
 * Unpacks an image into the folder of its ID, unless it is there. The folder appears whole or not at all: umoci writes
 * elsewhere on the same disk, all is flushed, and the last step is a rename.
 */
export async function unpackImage(image: Unpackable, folders: ImageFolders, signal: AbortSignal): Promise<string> {
  const lower = folders.lower(image.imageId);
  if (await exists(lower)) return lower;
  await using temporary = await folders.temporary();
  const layout = join(temporary.path, 'layout');
  await writeLayout(layout, image, folders);
  const target = join(temporary.path, 'rootfs');
  const argv = endsWithUs('umoci', ['raw', 'unpack', '--image', `${layout}:image`, target]);
  try {
    await runCommand('setpriv', argv, { signal });
  } catch (error) {
    const failure = imageFailure(error, image.reference);
    if (!(failure instanceof CancelledError || failure instanceof ResourceExhaustedError)) await forget(image, folders);
    throw failure;
  }
  await publishTree(target, lower, signal);
  return lower;
}

/** An OCI layout (image-spec, image-layout.md) with one image whose blobs are those of all. */
async function writeLayout(layout: string, image: Unpackable, folders: ImageFolders): Promise<void> {
  const descriptor = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: image.manifest,
    size: image.manifestBytes,
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  };
  await makeFolder(layout, 0o700);
  writeAtomicSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeAtomicSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  await makeLink(join(layout, 'blobs'), folders.blobs);
}

/** Blobs that cannot be unpacked may be rotten on this disk alone: the next pull fetches them anew. */
async function forget(image: Unpackable, folders: ImageFolders): Promise<void> {
  for (const digest of image.blobs) await removeFile(folders.blob(digest));
}
