import type { LogLine, LogSource } from '#api/ports.ts';
import { GrowingFile } from '#host/growing-file.ts';
import { watchFolder } from '#host/folder-watch.ts';
import { modifiedMs } from '#host/files.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import { parseCriLine } from './cri-line.ts';
import { lastEntries, LogEntries } from './log-entries.ts';
import { filesOf, findLog, type LogPath } from './log-files.ts';

type ReadOptions = Parameters<LogSource['read']>[1];

/** Reads the logs that monitors write, in CRI format, while they are written and rotated. */
export class CriLogs implements LogSource {
  readonly #logDir: string;
  readonly #tasks: TaskManager;

  constructor(options: { readonly logDir: string; readonly tasks: TaskManager }) {
    this.#logDir = options.logDir;
    this.#tasks = options.tasks;
  }

  async *read(ref: TaskRef, options: ReadOptions): AsyncGenerator<LogLine> {
    const log = await findLog(this.#logDir, ref, options.attempt);
    // Looked at before the files are: what is written until an end is in them.
    using changes = options.follow ? this.#watch(ref, log, options.signal) : undefined;
    for await (const entry of followEntries(log, options, changes)) {
      if (options.signal.aborted) return;
      const line = parseCriLine(entry);
      if (line && !(options.sinceMs !== undefined && Date.parse(line.time) < options.sinceMs)) yield line;
    }
  }

  /** Tells of every change of the folder and of the task's end, one after another, until disposed of. */
  #watch(ref: TaskRef, log: LogPath, signal: AbortSignal): Changes {
    let wake = Promise.withResolvers<void>();
    const tell = () => wake.resolve();
    const folder = watchFolder(log.folder, tell, tell);
    const events = this.#tasks.events.subscribe((event) => {
      if (refKey({ namespace: event.namespace, id: event.containerId }) === refKey(ref)) tell();
    });
    signal.addEventListener('abort', tell, { once: true });
    return {
      over: () => signal.aborted || !this.#isWritten(ref, log),
      next: async () => {
        await wake.promise;
        wake = Promise.withResolvers();
      },
      [Symbol.dispose]: () => {
        folder[Symbol.dispose]();
        events[Symbol.dispose]();
        signal.removeEventListener('abort', tell);
      },
    };
  }

  /** Whether the task that writes this very log still runs. The monitor writes all before it tells of an end. */
  #isWritten(ref: TaskRef, { path }: LogPath): boolean {
    const task = this.#tasks.find(ref);
    const io = task?.record.io;
    return task !== undefined && !task.exit && io?.kind === 'log' && io.path === path;
  }
}

interface Changes extends Disposable {
  /** Whether nothing more will be written. */
  over(): boolean;
  next(): Promise<void>;
}

async function* followEntries(
  log: LogPath,
  options: ReadOptions,
  changes: Changes | undefined,
): AsyncGenerator<Buffer> {
  let from = await beginning(log, options);
  let entries: LogEntries | undefined;
  try {
    for (;;) {
      // In this order: what is written before the end is read after it was seen.
      const over = changes?.over() ?? true;
      if (entries) yield* entries.available();
      const next = await nextFile(log, entries?.inode ?? from?.inode, entries === undefined);
      if (next) {
        if (entries) yield* entries.available(); // the last that was written under its old name
        await entries?.close();
        entries = new LogEntries(next, from?.inode === next.inode ? from.offset : 0);
        from = undefined;
      } else if (over) return;
      else await changes?.next();
    }
  } finally {
    await entries?.close();
  }
}

/** The file after the one with this inode, or with `inclusive` that very one; the first when it is not there any more. */
async function nextFile(log: LogPath, inode: number | undefined, inclusive: boolean): Promise<GrowingFile | undefined> {
  const files = await filesOf(log);
  const at = inode === undefined ? -1 : files.findIndex((file) => file.inode === inode);
  const next = files[inclusive && at >= 0 ? at : at + 1];
  return next ? await GrowingFile.open(next.path) : undefined;
}

/** Where reading begins; undefined is the first byte of all. */
async function beginning(
  log: LogPath,
  { tail, sinceMs }: ReadOptions,
): Promise<{ readonly inode: number; readonly offset: number } | undefined> {
  const files = await filesOf(log);
  // A file that was last written before has nothing of it.
  const recent = sinceMs === undefined ? files : files.filter(({ path }) => (modifiedMs(path) ?? 0) >= sinceMs);
  const [first] = recent;
  if (tail === undefined) return first ? { inode: first.inode, offset: 0 } : lastOf(files);
  let left = tail;
  for (const { path, inode } of files.toReversed()) {
    await using file = await GrowingFile.open(path);
    if (!file) continue;
    const { offset, missing } = await lastEntries(file, left);
    if (missing === 0) return { inode, offset };
    left = missing;
  }
  return undefined;
}

/** Nothing is recent enough: only what is still to come. */
function lastOf(files: readonly { readonly inode: number }[]): { inode: number; offset: number } | undefined {
  const last = files.at(-1);
  return last ? { inode: last.inode, offset: 0 } : undefined;
}
