import { chmod, chown, lstat, mkdir, readdir, rename, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FailedPreconditionError, isErrno } from '#errors/errors.ts';
import { runCommand } from './command.ts';
import { flushFolder, removeTree } from './files.ts';
import { mountsBelow, unmount } from './mounts.ts';

/** Bytes that a folder takes on the disk, hard links once, other file systems below it left out. */
export async function diskUsage(folder: string, signal?: AbortSignal): Promise<number> {
  const args = ['--summarize', '--block-size=1', '--one-file-system', folder];
  const { stdout } = await runCommand('du', args, signal ? { signal } : {});
  return Number.parseInt(stdout, 10);
}

/** The lengths of all files below a folder, bytes; what goes away meanwhile is not counted. */
export async function totalLength(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(ignoreMissing);
  const lengths = (entries ?? []).map(async (entry) => {
    if (!entry.isFile()) return 0;
    return (await lstat(join(entry.parentPath, entry.name)).catch(ignoreMissing))?.size ?? 0;
  });
  return (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0);
}

/** Copies a whole tree with owners, modes, links, devices and extended attributes; blocks are shared where the disk can. */
export async function copyTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const args = ['--archive', '--reflink=auto', '--one-file-system', '--no-target-directory', from, to];
  await runCommand('cp', args, signal ? { signal } : {});
}

/**
 * Gives a finished folder its name, so that it is there whole or not at all, also after a loss of power: all that its file
 * system holds in memory is written first.
 */
export async function publishTree(from: string, to: string, signal?: AbortSignal): Promise<void> {
  await runCommand('sync', ['--file-system', from], signal ? { signal } : {});
  await rename(from, to);
  await flushFolder(dirname(to));
}

/** Makes an empty folder with the mode and the owner of another. */
export async function makeFolderLike(path: string, model: string): Promise<void> {
  const { mode, uid, gid } = await lstat(model);
  await mkdir(path);
  await chown(path, uid, gid);
  await chmod(path, mode & 0o7777);
}

/** Makes a symbolic link. */
export async function makeLink(path: string, target: string): Promise<void> {
  await symlink(target, path);
}

/** Takes away every mount at or below a folder. Throws FailedPreconditionError when one is still there. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const { mountPoint } of mountsBelow(folder)) await unmount(mountPoint);
  const left = mountsBelow(folder)[0];
  if (left) throw new FailedPreconditionError(`cannot remove ${folder}: ${left.mountPoint} is still mounted`);
}

/** Removes a folder with all that is in it, but nothing of what is mounted there, which may be the node's own data. */
export async function removeUnmounted(folder: string): Promise<void> {
  await unmountBelow(folder);
  await removeTree(folder);
}

function ignoreMissing(error: unknown): undefined {
  if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
}
