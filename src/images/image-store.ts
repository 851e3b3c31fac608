import { Mutex } from '#async/mutex.ts';
import { TaskGroup } from '#async/task-group.ts';
import { FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import { exists } from '#host/files.ts';
import { removeUnmounted } from '#host/trees.ts';
import { imageFailure } from './failure.ts';
import { ImageFolders } from './folders.ts';
import { isUsed, planRemoval, sweep } from './garbage.ts';
import type { Usage } from './garbage.ts';
import type {
  EnsureOptions,
  Image,
  Images,
  ImageStoreOptions,
  ListedImage,
  PullProgress,
  Removed,
  Rootfs,
  RootfsSource,
  RootfsUser,
} from './images.ts';
import { LastUse } from './last-use.ts';
import { Layers } from './layers.ts';
import { overlayProblem } from './overlay-probe.ts';
import { openPlainRootfs } from './plain-rootfs.ts';
import { pullImage, resolveImage } from './pull.ts';
import type { PullContext } from './pull.ts';
import { ImageRecords, toImage } from './records.ts';
import type { ImageRecord } from './records.ts';
import { parseReference } from './reference.ts';
import type { Reference } from './reference.ts';
import { SharedFlight } from './shared-flight.ts';
import { userOf } from './users.ts';

const hourMs = 3_600_000;
/** Long enough for a task that comes back after a holiday. */
const usualKeepMs = 14 * 24 * hourMs;

type Cancellable = { readonly signal?: AbortSignal };

/** Images in `<root>/images`. One store a root; the agent's lock on its state sees to that. */
export class ImageStore implements Images {
  readonly #options: ImageStoreOptions;
  readonly #folders: ImageFolders;
  readonly #records: ImageRecords;
  readonly #layers: Layers;
  readonly #lastUse: LastUse;
  readonly #pulls = new SharedFlight<ImageRecord, PullProgress>();
  readonly #unpacks = new SharedFlight<string>();
  readonly #background: TaskGroup;
  /** Held for moments by whoever changes which images are in use, and by removals for as long as they take. */
  readonly #usage = new Mutex();
  #pulling = 0;
  #cancelCollection = () => {};
  #mode: Promise<'overlay' | 'copy'> | undefined;

  private constructor(options: ImageStoreOptions) {
    this.#options = options;
    this.#folders = new ImageFolders(options.root);
    this.#records = new ImageRecords(this.#folders.records, options.log);
    this.#layers = new Layers(this.#folders.layers);
    this.#lastUse = new LastUse(this.#folders.used);
    this.#background = new TaskGroup((err) =>
      options.log.warn({ err }, 'unused images or leftovers of images were not removed'),
    );
  }

  /** Opens what is on the disk; what an agent that died has left half done is removed in the background. */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    const store = new ImageStore(options);
    const leftovers = await store.#folders.make();
    await store.#records.load();
    await store.#lastUse.load();
    store.#background.spawn(async () => {
      for (const path of leftovers) await removeUnmounted(path);
    });
    store.#collectLater();
    return store;
  }

  async ensure(text: string, options: EnsureOptions): Promise<Image> {
    const reference = parseReference(text, options);
    const here = await this.#here(reference.text);
    if (here && options.policy !== 'Always') return toImage(here);
    if (options.policy === 'Never') {
      throw new NotFoundError(`image ${reference.text} is not on this node, and its pull policy is Never`);
    }
    const work = async (signal: AbortSignal, report: (progress: PullProgress) => void) =>
      await this.#pull(reference, signal, report);
    return toImage(await this.#pulls.run(reference.text, work, options));
  }

  async pull(
    reference: string,
    options: Pick<EnsureOptions, 'baseDir' | 'signal' | 'onProgress'>,
  ): Promise<ListedImage> {
    const image = await this.ensure(reference, { ...options, policy: 'Always', localPaths: true });
    return (await this.list()).find((each) => each.reference === image.reference) ?? { ...image, inUse: false };
  }

  async rootfs(source: RootfsSource, key: string, { signal }: Cancellable = {}): Promise<Rootfs> {
    try {
      const mode = await this.#layerMode(signal);
      if ('path' in source) return await this.#plainRootfs(source, key, mode, signal);
      using _held = await this.#usage.acquire(signal);
      const lower = this.#folders.lower(source.imageId);
      if (!(await exists(lower))) {
        throw new NotFoundError(`image ${source.reference} is not on this node any more: pull it again`);
      }
      this.#lastUse.note(source.imageId, this.#options.clock.nowMs());
      return await this.#layers.make({ key, imageId: source.imageId }, lower, { hold: false, mode, signal });
    } catch (error) {
      throw imageFailure(error, 'path' in source ? source.path : source.reference);
    }
  }

  async removeRootfs(key: string): Promise<void> {
    const layer = await this.#layers.get(key);
    await this.#layers.remove(key);
    if (layer?.imageId !== undefined) this.#lastUse.note(layer.imageId, this.#options.clock.nowMs());
  }

  layerPath(key: string): string {
    return this.#layers.upper(key);
  }

  async layers(): Promise<readonly string[]> {
    return (await this.#layers.list()).map(({ key }) => key);
  }

  async list(): Promise<readonly ListedImage[]> {
    const usage = await this.#readUsage();
    return this.#records.all().map((record) => ({ ...toImage(record), inUse: isUsed(record, usage) }));
  }

  async remove(text: string): Promise<void> {
    using _held = await this.#usage.acquire();
    const record = this.#find(text);
    if (isUsed(record, await this.#readUsage())) {
      throw new FailedPreconditionError(`cannot remove image ${record.reference}: a task uses it`);
    }
    await this.#records.remove(record.reference);
    await this.#sweep();
  }

  async prune(): Promise<Removed> {
    return await this.#removeUnused(Number.POSITIVE_INFINITY);
  }

  async collectGarbage({ unusedForMs }: { readonly unusedForMs: number }): Promise<Removed> {
    return await this.#removeUnused(this.#options.clock.nowMs() - unusedForMs);
  }

  async userOf(rootfs: string, user: string): Promise<RootfsUser> {
    return await userOf(rootfs, user);
  }

  async close(): Promise<void> {
    this.#cancelCollection();
    await this.#pulls.close();
    await this.#unpacks.close();
    await this.#background[Symbol.asyncDispose]();
  }

  #collectLater(): void {
    this.#cancelCollection = this.#options.clock.after(hourMs, () => {
      this.#collectLater();
      const unusedForMs = this.#options.keepUnusedMs ?? usualKeepMs;
      this.#background.spawn(async () => void (await this.collectGarbage({ unusedForMs })));
    });
  }

  async #plainRootfs(
    { path, anywhere }: Extract<RootfsSource, { path: string }>,
    key: string,
    mode: 'overlay' | 'copy',
    signal: AbortSignal | undefined,
  ): Promise<Rootfs> {
    const { root, rootfsAllow, ownFolders } = this.#options;
    const allow = anywhere ? ['/'] : rootfsAllow;
    await using place = await openPlainRootfs(path, { allow, own: [root, ...ownFolders] });
    return await this.#layers.make({ key }, place.path, { hold: true, mode, signal });
  }

  /** An image that is here with all that belongs to it. */
  async #here(reference: string): Promise<ImageRecord | undefined> {
    const record = this.#records.get(reference);
    return record && (await exists(this.#folders.lower(record.imageId))) ? record : undefined;
  }

  async #pull(
    reference: Reference,
    signal: AbortSignal,
    report: (progress: PullProgress) => void,
  ): Promise<ImageRecord> {
    const startedMs = this.#options.clock.monotonicMs();
    await this.#beginPull(signal);
    try {
      const record = await this.#fetch(reference, { ...this.#pullContext(), signal, report });
      const { digest, imageId, sizeBytes } = record;
      const durationMs = Math.round(this.#options.clock.monotonicMs() - startedMs);
      this.#options.log.info({ image: reference.text, digest, imageId, sizeBytes, durationMs }, 'image is on the node');
      return record;
    } catch (error) {
      throw imageFailure(error, reference.text);
    } finally {
      this.#pulling -= 1;
    }
  }

  async #beginPull(signal: AbortSignal): Promise<void> {
    using _held = await this.#usage.acquire(signal);
    this.#pulling += 1;
  }

  /** What the registry has is here already when its digest is: then nothing is fetched. */
  async #fetch(reference: Reference, context: PullContext): Promise<ImageRecord> {
    const resolved = await resolveImage(reference, context);
    const here = await this.#here(reference.text);
    if (here?.digest === resolved.digest) return here;
    const record = await pullImage(reference, resolved, context);
    await this.#records.put(record);
    return record;
  }

  #pullContext(): Omit<PullContext, 'signal' | 'report'> {
    const { clock, registryAuth } = this.#options;
    return {
      folders: this.#folders,
      clock,
      ...(registryAuth === undefined ? {} : { registryAuth }),
      unpackOnce: async (imageId, work) => await this.#unpacks.run(imageId, work),
    };
  }

  #layerMode(signal?: AbortSignal): Promise<'overlay' | 'copy'> {
    this.#mode ??= this.#probe(signal).catch((error: unknown) => {
      this.#mode = undefined;
      throw error;
    });
    return this.#mode;
  }

  async #probe(signal?: AbortSignal): Promise<'overlay' | 'copy'> {
    const problem = await overlayProblem(this.#folders, signal);
    if (problem === undefined) return 'overlay';
    const { log, root } = this.#options;
    log.warn({ root, problem }, 'overlays cannot be used here: each task gets a copy of its root file system');
    return 'copy';
  }

  async #readUsage(): Promise<Usage> {
    const layers = await this.#layers.list();
    return {
      imageIds: new Set(layers.flatMap(({ imageId }) => imageId ?? [])),
      references: new Set([...(this.#options.inUse?.() ?? [])].map(inFull)),
    };
  }

  /** By reference or image ID. */
  #find(text: string): ImageRecord {
    const reference = inFull(text);
    const record = this.#records.get(reference) ?? this.#records.all().find(({ imageId }) => imageId === text);
    if (!record) throw new NotFoundError(`image ${reference} is not on this node`);
    return record;
  }

  async #removeUnused(untouchedSinceMs: number): Promise<Removed> {
    using _held = await this.#usage.acquire();
    const usage = { ...(await this.#readUsage()), lastUsedMs: (imageId: string) => this.#lastUse.of(imageId) };
    const removed = planRemoval(this.#records.all(), usage, untouchedSinceMs);
    for (const { reference } of removed) await this.#records.remove(reference);
    const bytes = await this.#sweep();
    if (removed.length > 0) this.#options.log.info({ images: removed.length, bytes }, 'unused images were removed');
    return { removed: removed.map(({ reference }) => reference), bytes };
  }

  /** What is being pulled has no record yet, so nothing is swept meanwhile: the next time will do. */
  async #sweep(): Promise<number> {
    if (this.#pulling > 0) return 0;
    const records = this.#records.all();
    const { imageIds } = await this.#readUsage();
    await this.#lastUse.keep(new Set([...records.map(({ imageId }) => imageId), ...imageIds]));
    return await sweep(this.#folders, records, imageIds);
  }
}

/** A reference in full; what is none stays as it is, and names nothing. */
function inFull(text: string): string {
  try {
    return parseReference(text, { localPaths: true }).text;
  } catch {
    return text;
  }
}
