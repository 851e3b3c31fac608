import { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import { errorMessage } from '#errors/errors.ts';
import { watchFolder } from '#host/folder-watch.ts';
import type { Log } from '#log/log.ts';
import { noConfigSource } from '../node-task/config-source.ts';
import { objectKey } from '../reconcile/source.ts';
import type { NodeTaskSource, ObjectIdentity, ObjectKey, SourceChange, SourceObject } from '../reconcile/source.ts';
import { checkManifestFolder, readManifestFolder, type ReadFile } from './folder-files.ts';
import type { FileRecord, ManifestRecords } from './manifest-records.ts';
import { mergeManifests, type FolderObject, type ManifestFile } from './merge.ts';
import { ObjectUids } from './object-uids.ts';
import { parseManifest } from './parse-manifest.ts';

export interface ManifestFolderOptions {
  readonly folder: string;
  readonly nodeName: string;
  readonly records: ManifestRecords;
  readonly clock: Clock;
  readonly log: Log;
  readonly makeUid?: () => string;
  /** Whose the folder must be: root's, but in tests. */
  readonly ownerUid?: number;
}

/** A file is often written in several steps: it is looked at when nothing has happened for this long. */
const settleMs = 100;
/** Whatever a watch does not tell is found after this time. */
const rescanMs = 10_000;

/** A file as it was looked at last. */
interface KnownFile extends ManifestFile {
  /** The text that it had, valid or not. */
  readonly text: string | undefined;
}

/** A folder of NodeTask files as a source of objects. Everything that it does not take is said in log lines. */
export class ManifestFolder implements NodeTaskSource, AsyncDisposable {
  readonly config = noConfigSource;
  readonly #options: ManifestFolderOptions;
  readonly #uids: ObjectUids;
  readonly #listeners = new Set<(change: SourceChange) => void>();
  readonly #scans: TaskGroup;
  /** Newest valid texts, by file. */
  readonly #valid = new Map<string, FileRecord>();
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #objects: ReadonlyMap<ObjectKey, SourceObject> = new Map();
  #refused: ReadonlySet<string> = new Set();
  #synced = false;
  #scanning = false;
  #again = false;
  #closed = false;
  #cancelTimer = (): void => {};
  #watch: Disposable | undefined;

  constructor(options: ManifestFolderOptions) {
    this.#options = options;
    this.#uids = new ObjectUids(options.records.uids, options.makeUid);
    this.#scans = new TaskGroup((error) => options.log.error({ err: error }, 'cannot keep what manifests say'));
  }

  /** Reads the folder and begins to watch it. Throws FailedPreconditionError for a folder that others may write into. */
  async start(): Promise<void> {
    const { folder, records, log, ownerUid } = this.#options;
    await checkManifestFolder(folder, ownerUid);
    await this.#uids.load();
    for (const record of await records.files.load()) this.#valid.set(record.file, record);
    // Watched first: what changes while it is read is read again.
    this.#watch = watchFolder(
      folder,
      () => this.#soon(settleMs),
      (error) => log.warn({ folder, err: error }, 'cannot watch the manifests; looking at them from time to time'),
    );
    await this.#scan();
    this.#synced = true;
    this.#tell({ kind: 'synced' });
    this.#soon(rescanMs);
  }

  get synced(): boolean {
    return this.#synced;
  }

  keys(): readonly ObjectKey[] {
    return [...this.#objects.keys()];
  }

  get(key: ObjectKey): SourceObject | undefined {
    return this.#objects.get(key);
  }

  subscribe(listener: (change: SourceChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Root wrote the files. */
  /** The files themselves are there for the next agent. */
  keep(): Promise<void> {
    return Promise.resolve();
  }

  podSecurityLevel(): Promise<'privileged'> {
    return Promise.resolve('privileged');
  }

  /** The object's time is over: it is gone until its file says something else. The file stays. */
  async expire(object: ObjectIdentity): Promise<void> {
    const { log } = this.#options;
    const there = this.#objects.get(objectKey(object));
    if (there?.uid !== object.uid || !there.task) return;
    await this.#uids.expire(there.task);
    log.info(
      { object: objectKey(object) },
      'a finished object has outlived its time; it comes back when its file changes',
    );
    this.#soon(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watch?.[Symbol.dispose]();
    this.#cancelTimer();
    await this.#scans[Symbol.asyncDispose]();
  }

  /** Looks after a time; what was to be looked at later is looked at then. */
  #soon(ms: number): void {
    if (this.#closed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#scans.spawn(() => this.#look()));
  }

  async #look(): Promise<void> {
    if (this.#scanning) {
      this.#again = true;
      return;
    }
    this.#scanning = true;
    try {
      await this.#scan();
    } finally {
      this.#scanning = false;
      this.#soon(this.#again ? settleMs : rescanMs);
      this.#again = false;
    }
  }

  async #scan(): Promise<void> {
    const { folder, log, nodeName, ownerUid } = this.#options;
    let found: readonly ReadFile[];
    try {
      found = await readManifestFolder(folder, ownerUid);
    } catch (error) {
      log.error({ folder, reason: errorMessage(error) }, 'cannot read the manifests; they stay as they were');
      return;
    }
    const files = await Promise.all(found.map((file) => this.#readFile(file)));
    await this.#forgetFiles(new Set(found.map(({ name }) => name)));
    this.#files = new Map(files.map((file) => [file.name, file]));
    const { objects, refused } = mergeManifests(files, nodeName);
    for (const text of refused) if (!this.#refused.has(text)) log.warn({ reason: text }, 'an object does not count');
    this.#refused = new Set(refused);
    await this.#take(objects);
  }

  /** The file as it counts: by its newest valid text. */
  async #readFile(file: ReadFile): Promise<KnownFile> {
    const { name, text, problem = 'it cannot be read' } = file;
    const before = this.#files.get(name);
    if (before && text !== undefined && before.text === text) return before;
    const parsed = text === undefined ? { problems: [problem] } : parseManifest(text, this.#options.nodeName);
    if (parsed.problems) return this.#keepFile(file, parsed.problems, before);
    await this.#keepText(name, text ?? '');
    return { name, text, tasks: parsed.tasks, problems: [] };
  }

  /** The file with what it said before. */
  #keepFile({ name, text }: ReadFile, problems: readonly string[], before: KnownFile | undefined): KnownFile {
    const tasks = before?.tasks ?? this.#lastValid(name);
    if (JSON.stringify(before?.problems) !== JSON.stringify(problems)) {
      const keeps = tasks.map(({ metadata }) => objectKey(metadata));
      this.#options.log.error(
        { file: name, problems, keeps },
        'a file of NodeTasks is wrong; its last valid objects stay',
      );
    }
    return { name, text, tasks, problems };
  }

  async #keepText(file: string, text: string): Promise<void> {
    if (this.#valid.get(file)?.text === text) return;
    await this.#options.records.files.put(encodeURIComponent(file), { file, text });
    this.#valid.set(file, { file, text });
  }

  #lastValid(name: string): ManifestFile['tasks'] {
    const record = this.#valid.get(name);
    return record ? (parseManifest(record.text, this.#options.nodeName).tasks ?? []) : [];
  }

  async #forgetFiles(names: ReadonlySet<string>): Promise<void> {
    for (const name of this.#valid.keys()) {
      if (names.has(name)) continue;
      this.#valid.delete(name);
      await this.#options.records.files.remove(encodeURIComponent(name));
    }
  }

  async #take(found: ReadonlyMap<ObjectKey, FolderObject>): Promise<void> {
    const { clock, log } = this.#options;
    await this.#uids.keepOnly(new Set(found.keys()));
    const before = this.#objects;
    const objects = new Map<ObjectKey, SourceObject>();
    for (const [key, object] of found) {
      const identified = await this.#uids.identify(object.task, clock.nowMs());
      if (identified) objects.set(key, toSourceObject(object, identified));
    }
    this.#objects = objects;
    for (const key of new Set([...before.keys(), ...objects.keys()])) {
      const [old, now] = [before.get(key), objects.get(key)];
      if (JSON.stringify(old) === JSON.stringify(now)) continue;
      const what = now ? (old?.uid === now.uid ? 'changed' : 'new') : 'gone';
      log.info({ object: key, what, file: found.get(key)?.file }, 'the manifests say something new of an object');
      this.#tell({ kind: 'object', key });
    }
  }

  #tell(change: SourceChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function toSourceObject(
  { problems, file }: FolderObject,
  { uid, task }: NonNullable<Awaited<ReturnType<ObjectUids['identify']>>>,
): SourceObject {
  return {
    namespace: task.metadata.namespace,
    name: task.metadata.name,
    uid: uid.uid,
    generation: uid.generation,
    task,
    problems: problems.map((rule) => ({ path: `file ${file}`, rule })),
    deleting: false,
    confirmed: true,
  };
}
