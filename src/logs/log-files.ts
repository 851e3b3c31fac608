import { join } from 'node:path';
import { NotFoundError } from '#errors/errors.ts';
import { inodeOf } from '#host/growing-file.ts';
import { listNames, modifiedMs } from '#host/files.ts';
import { rotatedLogs } from '#runtime/stdio/log-rotation.ts';
import { refKey, type TaskRef } from '#task/ids.ts';

/** One run's log: the file that is written, and beside it those that were set aside. */
export interface LogPath {
  readonly folder: string;
  readonly attempt: number;
  readonly path: string;
}

/**
 * The log of a run: of the object that has the name now, else of the last one that had it, while its logs are kept. Without
 * an attempt it is the last run's. Throws NotFoundError.
 */
export async function findLog(logDir: string, ref: TaskRef, attempt?: number): Promise<LogPath> {
  for (const folder of await foldersOf(logDir, ref)) {
    const attempts = await attemptsIn(folder);
    const wanted = attempt ?? attempts.at(-1);
    if (wanted !== undefined && attempts.includes(wanted)) {
      return { folder, attempt: wanted, path: join(folder, `${wanted}.log`) };
    }
  }
  const which = attempt === undefined ? '' : ` of attempt ${attempt}`;
  throw new NotFoundError(`no log${which} of ${refKey(ref)}: it writes none here, or its time is over`);
}

/** The files of a run, oldest first, with which file each is. The one that is written comes last, if it is there. */
export async function filesOf(log: LogPath): Promise<readonly { readonly path: string; readonly inode: number }[]> {
  const paths = [...(await rotatedLogs(log.path)), log.path];
  const files = await Promise.all(paths.map(async (path) => ({ path, inode: await inodeOf(path) })));
  return files.flatMap(({ path, inode }) => (inode === undefined ? [] : [{ path, inode }]));
}

/** The object's own folder, then those kept of namesakes, `<id>_<uid>`, the latest first. */
async function foldersOf(logDir: string, { namespace, id }: TaskRef): Promise<readonly string[]> {
  const above = join(logDir, namespace);
  const names = await listNames(above);
  const kept = names
    .filter((name) => name.startsWith(`${id}_`))
    .map((name) => ({ folder: join(above, name), atMs: modifiedMs(join(above, name)) ?? 0 }))
    .toSorted((a, b) => b.atMs - a.atMs);
  return [...(names.includes(id) ? [join(above, id)] : []), ...kept.map(({ folder }) => folder)];
}

/** The runs that have a log, the first first; one that was only just rotated may have no file under its own name. */
async function attemptsIn(folder: string): Promise<readonly number[]> {
  const attempts = (await listNames(folder)).map((name) => /^(\d+)\.log(?:\.|$)/.exec(name)?.[1]);
  return [...new Set(attempts.flatMap((text) => (text === undefined ? [] : [Number(text)])))].toSorted((a, b) => a - b);
}
