import { createHash } from 'node:crypto';
import { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';
import type { Image } from './images.ts';

/** What is kept of an image on the disk. */
export interface ImageRecord extends Image {
  /** Digests of all that the image consists of: manifest, configuration, layers. */
  readonly blobs: readonly string[];
}

/** The images by reference. Memory is a cache of the disk; what is put outlives a loss of power. */
export class ImageRecords {
  readonly #files: JsonRecords<ImageRecord>;
  readonly #records = new Map<string, ImageRecord>();

  constructor(folder: string, log: Log) {
    this.#files = new JsonRecords(folder, (err) => log.warn({ err }, 'an image record cannot be read and is ignored'));
  }

  async load(): Promise<void> {
    for (const record of await this.#files.load()) this.#records.set(record.reference, record);
  }

  get(reference: string): ImageRecord | undefined {
    return this.#records.get(reference);
  }

  all(): readonly ImageRecord[] {
    return [...this.#records.values()].toSorted((a, b) => a.reference.localeCompare(b.reference, 'en'));
  }

  async put(record: ImageRecord): Promise<void> {
    await this.#files.put(keyOf(record.reference), record);
    this.#records.set(record.reference, record);
  }

  async remove(reference: string): Promise<void> {
    this.#records.delete(reference);
    await this.#files.remove(keyOf(reference));
  }
}

/** References hold slashes and may be longer than a file's name. */
function keyOf(reference: string): string {
  return createHash('sha256').update(reference).digest('hex');
}

/** The part that callers see. */
export function toImage({ blobs: _blobs, ...image }: ImageRecord): Image {
  return image;
}
