import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { NotFoundError, PermissionDeniedError, isErrno } from '#errors/errors.ts';

export type PlaceKind = 'folder' | 'file' | 'socket' | 'charDevice' | 'blockDevice' | 'other';

/** Something below a folder, held open, so that nobody can put something else in its place between looking and mounting. */
export interface Place extends AsyncDisposable {
  readonly kind: PlaceKind;
  /** A path that leads to exactly this place while it is open, for programs that we run as well. */
  readonly path: string;
}

/** open(2)'s flag for a name that is not read: sockets and devices are not touched. Node has no constant for it. */
const O_PATH = 0o10_000_000;
const flags = O_PATH | constants.O_NOFOLLOW;

const folderMode = 0o755;
const fileMode = 0o644;

/**
 * Opens what is at `path` below `root`. Links are followed only as far as they stay below it; what is missing is made where
 * `create` says so. Throws NotFoundError when it is not there, PermissionDeniedError when it leads out of `root`.
 */
export async function openBeneath(root: string, path: string, create?: 'folder' | 'file'): Promise<Place> {
  let handle = await openRoot(root);
  try {
    const { steps, missing } = await findBeneath(handle, path, root);
    if (missing > 0 && !create) throw new NotFoundError(`there is no ${join(root, path)}`);
    for (const [index, name] of steps.entries()) {
      const last = index === steps.length - 1;
      if (index >= steps.length - missing)
        await make(inside(handle, name), last && create === 'file' ? 'file' : 'folder');
      const next = await open(inside(handle, name), flags);
      await handle.close();
      handle = next;
    }
    return await toPlace(handle, path, root);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openRoot(root: string): Promise<FileHandle> {
  try {
    return await open(root, O_PATH);
  } catch (error) {
    throw isErrno(error, 'ENOENT') ? new NotFoundError(`there is no ${root}`, { cause: error }) : error;
  }
}

/** The names to walk, without links, and how many of the last ones are not there. */
async function findBeneath(
  handle: FileHandle,
  path: string,
  root: string,
): Promise<{ readonly steps: readonly string[]; readonly missing: number }> {
  const base = await realpath(inside(handle, ''));
  const { existing, missing } = await deepest(join(base, path));
  if (existing !== base && !existing.startsWith(base === sep ? sep : `${base}${sep}`)) {
    throw new PermissionDeniedError(`${path} leads out of ${root}: a link on the way points elsewhere`);
  }
  const steps = [...relative(base, existing).split(sep), ...missing].filter((name) => name !== '');
  return { steps, missing: missing.length };
}

/** The part of a path that is there, links followed, and the names that are not. */
async function deepest(path: string): Promise<{ readonly existing: string; readonly missing: readonly string[] }> {
  try {
    return { existing: await realpath(path), missing: [] };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    // A link that leads nowhere is not a place to make something at: its far end may lie anywhere.
    if (await isThere(path)) throw new NotFoundError(`${path} is a link that leads nowhere`, { cause: error });
    const above = await deepest(dirname(path));
    return { existing: above.existing, missing: [...above.missing, basename(path)] };
  }
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/** The kernel resolves the descriptor, not the path that it was opened by. */
function inside(handle: FileHandle, name: string): string {
  return `/proc/self/fd/${handle.fd}${name ? `/${name}` : ''}`;
}

async function make(path: string, what: 'folder' | 'file'): Promise<void> {
  try {
    if (what === 'folder') return await mkdir(path, { mode: folderMode });
    await using _made = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, fileMode);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

async function toPlace(handle: FileHandle, path: string, root: string): Promise<Place> {
  const stat = await handle.stat();
  // Every link had been followed before: one that is here now was put here by somebody since.
  if (stat.isSymbolicLink()) throw new PermissionDeniedError(`${path} below ${root} became a link while it was opened`);
  const kinds: readonly (readonly [boolean, PlaceKind])[] = [
    [stat.isDirectory(), 'folder'],
    [stat.isFile(), 'file'],
    [stat.isSocket(), 'socket'],
    [stat.isCharacterDevice(), 'charDevice'],
    [stat.isBlockDevice(), 'blockDevice'],
  ];
  return {
    kind: kinds.find(([is]) => is)?.[1] ?? 'other',
    path: `/proc/${process.pid}/fd/${handle.fd}`,
    [Symbol.asyncDispose]: async () => await handle.close(),
  };
}
