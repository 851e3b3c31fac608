import { join } from 'node:path';
import { listNames, readText, removeFile, writeAtomicSync } from '#host/files.ts';

/**
 * When tasks last began or ceased to use an image. Written without waiting for the disk, because tasks begin and end on the
 * way: a loss of power may take the last ones, and then an image counts as unused for longer than it is.
 */
export class LastUse {
  readonly #folder: string;
  readonly #times = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async load(): Promise<void> {
    for (const name of await listNames(this.#folder)) {
      const ms = Number(await readText(join(this.#folder, name)));
      if (!name.startsWith('.') && Number.isFinite(ms)) this.#times.set(name.replace('-', ':'), ms);
    }
  }

  /** Milliseconds since 1970; 0 for never. */
  of(imageId: string): number {
    return this.#times.get(imageId) ?? 0;
  }

  note(imageId: string, nowMs: number): void {
    this.#times.set(imageId, nowMs);
    writeAtomicSync(this.#file(imageId), String(nowMs));
  }

  /** Keeps only those of images that are still known. */
  async keep(imageIds: ReadonlySet<string>): Promise<void> {
    for (const imageId of [...this.#times.keys()].filter((id) => !imageIds.has(id))) {
      this.#times.delete(imageId);
      await removeFile(this.#file(imageId));
    }
  }

  #file(imageId: string): string {
    return join(this.#folder, imageId.replace(':', '-'));
  }
}
