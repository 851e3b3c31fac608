import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { InvalidArgumentError } from '#errors/errors.ts';
import { listNames, makeFolder, removeTree } from '#host/files.ts';

/** Where things are below `<root>/images`. All of it is root's alone. */
export class ImageFolders {
  /** Blobs by digest, shared by all images: an OCI layout's `blobs` folder. */
  readonly blobs: string;
  /** One JSON file for each reference. */
  readonly records: string;
  /** One folder for each image ID: the lower layer of its tasks. */
  readonly unpacked: string;
  /** One folder for each task. */
  readonly layers: string;
  /** One file for each image ID: when it was last used. */
  readonly used: string;
  readonly #temporary: string;

  constructor(root: string) {
    const base = join(root, 'images');
    // In an overlay's options a colon parts folders and a comma parts options.
    if (/[:,"\\]/.test(base)) {
      throw new InvalidArgumentError(
        `--root ${root}: must not hold a colon, comma, quote or backslash: overlays cannot name it`,
      );
    }
    this.blobs = join(base, 'blobs');
    this.records = join(base, 'records');
    this.unpacked = join(base, 'unpacked');
    this.layers = join(base, 'layers');
    this.used = join(base, 'used');
    this.#temporary = join(base, 'tmp');
  }

  /** Makes all of them, and names what an agent that died has left half done. */
  async make(): Promise<readonly string[]> {
    const leftovers: string[] = [];
    for (const folder of [this.blobs, this.records, this.unpacked, this.layers, this.used, this.#temporary]) {
      await makeFolder(folder, 0o700);
      // What is being written or removed has a dot before its name, elsewhere than in the folder for such things.
      const half = (await listNames(folder)).filter((name) => folder === this.#temporary || name.startsWith('.'));
      leftovers.push(...half.map((name) => join(folder, name)));
    }
    return leftovers;
  }

  /** The file of a blob. */
  blob(digest: string): string {
    return join(this.blobs, ...digest.split(':'));
  }

  /** The folder that an image is unpacked to. */
  lower(imageId: string): string {
    return join(this.unpacked, imageId.replace(':', '-'));
  }

  /** A new folder on the same file system, removed when it is disposed of. */
  async temporary(): Promise<AsyncDisposable & { readonly path: string }> {
    const path = join(this.#temporary, randomUUID());
    await makeFolder(path, 0o700);
    return { path, [Symbol.asyncDispose]: async () => await removeTree(path) };
  }
}

/** The image ID of an unpacked folder's name. */
export function imageIdOf(folderName: string): string {
  return folderName.replace('-', ':');
}
