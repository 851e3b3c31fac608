import { join } from 'node:path';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { exists, existsSync, listNames, makeFolder, readText, removeTreeAtomic, writeAtomicSync } from '#host/files.ts';
import { mount, readMounts } from '#host/mounts.ts';
import type { Mount } from '#host/mounts.ts';
import { copyTree, makeFolderLike, unmountBelow } from '#host/trees.ts';
import type { Rootfs } from './images.ts';

/** What a layer was made of. */
export interface LayerRecord {
  readonly key: string;
  /** Absent on top of a plain folder. */
  readonly imageId?: string;
}

export interface LayerOptions {
  /** A folder that others may put something else in the place of is held by a mount while the layer is there. */
  readonly hold: boolean;
  /** `copy` where overlays cannot be used. */
  readonly mode: 'overlay' | 'copy';
  readonly signal?: AbortSignal | undefined;
}

const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
/** File names have at most 255 bytes. */
const longestName = 240;

/**
 * The layers of tasks, each in a folder of its own: what it is made of (`layer.json`), what the task wrote (`upper`), the
 * overlay's own folder (`work`), and where a plain folder is held (`lower`).
 */
export class Layers {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The folder of what a task writes. Throws InvalidArgumentError for what is no key. */
  upper(key: string): string {
    return join(this.#of(key), 'upper');
  }

  /** Makes a layer anew, empty, on top of a folder. */
  async make(record: LayerRecord, shared: string, options: LayerOptions): Promise<Rootfs> {
    await this.remove(record.key);
    const folder = this.#of(record.key);
    await makeFolder(folder, 0o700);
    writeAtomicSync(join(folder, 'layer.json'), JSON.stringify(record));
    const lower = options.hold ? await hold(shared, join(folder, 'lower'), options.signal) : shared;
    const upper = join(folder, 'upper');
    if (options.mode === 'copy') {
      await copyTree(lower, upper, options.signal);
      return { lower, mounts: [{ type: '', source: upper, options: ['bind', 'rprivate'] }] };
    }
    // The root of an overlay has the owner and the mode of its upper folder.
    await makeFolderLike(upper, lower);
    await makeFolder(join(folder, 'work'), 0o700);
    return { lower, mounts: [overlayMount(lower, upper, join(folder, 'work'))] };
  }

  /** None there is success. Throws FailedPreconditionError while a task has it mounted. */
  async remove(key: string): Promise<void> {
    const folder = this.#of(key);
    const used = readMounts().find(({ superOptions }) => superOptions.includes(`upperdir=${join(folder, 'upper')}`));
    if (used) throw new FailedPreconditionError(`cannot remove layer ${key}: it is mounted on ${used.mountPoint}`);
    await unmountBelow(folder);
    if (await exists(folder)) await removeTreeAtomic(folder);
  }

  /** One layer; undefined when there is none. */
  async get(key: string): Promise<LayerRecord | undefined> {
    const text = await readText(join(this.#of(key), 'layer.json'));
    return text === undefined ? undefined : parseLayer(text, key);
  }

  async list(): Promise<readonly LayerRecord[]> {
    const names = (await listNames(this.#folder)).filter((name) => !name.startsWith('.'));
    const keys = names.map((name) => decodeURIComponent(name));
    return await Promise.all(keys.map(async (key) => (await this.get(key)) ?? { key }));
  }

  #of(key: string): string {
    const name = encodeURIComponent(key);
    if (keyPattern.test(key) && name.length <= longestName) return join(this.#folder, name);
    throw new InvalidArgumentError(`layer ${JSON.stringify(key)}: must be names with slashes between them`);
  }
}

/** An overlay file system: overlayfs.rst of the kernel. */
export function overlayMount(lower: string, upper: string, work: string): Mount {
  // Where the kernel keeps an index, an upper folder could not be mounted again after a lazy unmount.
  const index = existsSync('/sys/module/overlay/parameters/index') ? ['index=off'] : [];
  return {
    type: 'overlay',
    source: 'overlay',
    options: [...index, `lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`],
  };
}

async function hold(shared: string, at: string, signal: AbortSignal | undefined): Promise<string> {
  await makeFolder(at, 0o700);
  await mount({ type: '', source: shared, options: ['bind', 'rprivate'] }, at, signal);
  return at;
}

/** A record that a loss of power left empty belongs to a task that is gone. */
function parseLayer(text: string, key: string): LayerRecord {
  try {
    const { imageId } = JSON.parse(text) as Partial<LayerRecord>;
    return { key, ...(imageId === undefined ? {} : { imageId }) };
  } catch {
    return { key };
  }
}
