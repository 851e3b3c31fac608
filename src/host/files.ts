import * as fs from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, realpath, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FailedPreconditionError, isErrno } from '#errors/errors.ts';
import { mountsBelow, type MountEntry } from './mounts.ts';

/** The text of a file; undefined when there is none. Other failures are thrown. */
export async function readText(path: string): Promise<string | undefined> {
  return await unlessMissing(readFile(path, 'utf8'));
}

/** The same at once, for files of the kernel and of memory file systems, where a promise costs more than the read. */
export function readTextSync(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'ESRCH')) return undefined;
    throw error;
  }
}

/** The bytes of a file; undefined when there is none. */
export function readBytesSync(path: string): Buffer | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The names in a folder, sorted; none when there is no folder. */
export async function listNames(path: string): Promise<string[]> {
  return ((await unlessMissing(readdir(path))) ?? []).toSorted();
}

export async function exists(path: string): Promise<boolean> {
  return (await unlessMissing(stat(path))) !== undefined;
}

export function existsSync(path: string): boolean {
  return fs.existsSync(path);
}

/** Whose a file or folder is and who may do what with it, links followed; undefined when there is nothing. */
export async function ownership(
  path: string,
): Promise<{ readonly uid: number; readonly mode: number; readonly isFolder: boolean } | undefined> {
  const found = await unlessMissing(stat(path));
  return found && { uid: found.uid, mode: found.mode & 0o7777, isFolder: found.isDirectory() };
}

/** The path with every link followed; undefined when there is nothing. */
export async function realPath(path: string): Promise<string | undefined> {
  return await unlessMissing(realpath(path));
}

/** Makes a folder and those above it. */
export async function makeFolder(path: string, mode = 0o711): Promise<void> {
  await mkdir(path, { recursive: true, mode });
}

/** Writes a file as a whole or not at all: a reader sees the old text or the new one, also after a crash of the writer. */
export function writeAtomicSync(path: string, text: string, mode = 0o600): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    fs.writeFileSync(temporary, text, { mode });
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

let serial = 0;

/** The same, and it also outlives a loss of power: the file and the folder's entry are flushed before it returns. */
export async function writeDurable(path: string, text: string | Uint8Array, mode = 0o600): Promise<void> {
  serial += 1;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${serial}.tmp`);
  try {
    await writeFile(temporary, text, { mode, flush: true });
    await rename(temporary, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Flushes a folder's entries to the disk. */
export async function flushFolder(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}

/** Removes one file; it is no error when there is none. */
export async function removeFile(path: string): Promise<void> {
  await unlessMissing(unlink(path));
}

/**
 * Removes a folder with all that is in it; it is no error when there is none. Throws FailedPreconditionError, and removes
 * nothing, where something is mounted in it: what is mounted would be emptied, and it is not this folder's.
 */
export async function removeTree(path: string): Promise<void> {
  const above = await realPath(dirname(path));
  if (above === undefined) return;
  const [mounted] = mountsBelow(join(above, basename(path)));
  if (mounted) throw new FailedPreconditionError(`cannot remove ${path}: ${mounted.mountPoint} is mounted in it`);
  await rm(path, { recursive: true, force: true });
}

/**
 * Removes a folder so that nobody ever sees half of it: it is renamed to a dot-name first, which scanners skip and
 * a later sweep finishes.
 */
export async function removeTreeAtomic(path: string): Promise<void> {
  const hidden = join(dirname(path), `.${basename(path)}.removed`);
  await removeTree(hidden);
  if ((await unlessMissing(rename(path, hidden).then(() => true))) === undefined) return;
  await removeTree(hidden);
}

/**
 * The same at once, for small folders: each promise costs more than the removal of a file. `mounts` is a reading of the machine's
 * that was made just before, where there is one: on a full node they are a hundred kilobytes. Throws as removeTree does.
 */
export function removeTreeSync(path: string, mounts?: readonly MountEntry[]): void {
  if (!fs.existsSync(path)) return;
  const [mounted] = mountsBelow(join(fs.realpathSync.native(dirname(path)), basename(path)), mounts);
  if (mounted) throw new FailedPreconditionError(`cannot remove ${path}: ${mounted.mountPoint} is mounted in it`);
  fs.rmSync(path, { recursive: true, force: true });
}

/** removeTreeAtomic at once, for small folders. */
export function removeTreeAtomicSync(path: string): void {
  const hidden = join(dirname(path), `.${basename(path)}.removed`);
  removeTreeSync(hidden);
  try {
    fs.renameSync(path, hidden);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  removeTreeSync(hidden);
}

async function unlessMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Writes into a file that is there, such as one of the kernel's. Throws what the kernel answered. */
export function writeTextSync(path: string, text: string): void {
  const descriptor = fs.openSync(path, 'w');
  try {
    fs.writeSync(descriptor, text);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The same without holding up the event loop: moving a process to a cgroup may wait for the kernel for 10 ms. */
export async function writeText(path: string, text: string): Promise<void> {
  await using handle = await open(path, 'w');
  await handle.write(text);
}

/** Links to a folder that has none in it: its own name and the `.` in it, where a file system counts them. Some always say 1. */
const linksWithoutFolders = 2;

/** The folders in a folder, unsorted; none when there is no folder. */
export function listFoldersSync(path: string): string[] {
  try {
    if (fs.statSync(path, { throwIfNoEntry: false })?.nlink === linksWithoutFolders) return [];
    return fs
      .readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV')) return [];
    throw error;
  }
}

/** Makes a folder and those above it; it is no error when it is there. */
export function makeFolderSync(path: string, mode = 0o711): void {
  fs.mkdirSync(path, { recursive: true, mode });
}

/** Removes an empty folder, such as a cgroup; it is no error when there is none. Throws EBUSY or ENOTEMPTY. */
export function removeEmptyFolderSync(path: string): void {
  try {
    fs.rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Removes one file; it is no error when there is none. */
export function removeFileSync(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

/** Which file a path leads to, links followed; undefined when there is none or it cannot be reached. */
export function fileIdentity(path: string): FileIdentity | undefined {
  try {
    const { dev, ino, rdev, mode } = fs.statSync(path);
    return {
      file: `${dev}:${ino}`,
      isNull: (mode & fs.constants.S_IFMT) === fs.constants.S_IFCHR && rdev === nullDevice,
    };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'ELOOP', 'EINVAL')) return undefined;
    throw error;
  }
}

export interface FileIdentity {
  /** `device:inode`. */
  readonly file: string;
  /** Whether it is the null device. */
  readonly isNull: boolean;
}

/** Character device 1:3. */
const nullDevice = 0x103;

/** When a file was last written, milliseconds since 1970; undefined when there is none. */
export function modifiedMs(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** What is another as soon as a file was written or replaced, links followed; undefined when there is none. */
export function fileMark(path: string): string | undefined {
  const found = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}:${found.size}:${found.ctimeNs}`;
}

/** A file's length in bytes; undefined when there is none. */
export function fileSize(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.size;
}

/** Gives a file another name, replacing what has it. */
export function renameSync(from: string, to: string): void {
  fs.renameSync(from, to);
}

/** The names in a folder, unsorted; none when there is no folder or it cannot be read any more. */
export function listNamesSync(path: string): string[] {
  try {
    return fs.readdirSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'ESRCH', 'EACCES')) return [];
    throw error;
  }
}

/** Where a symbolic link points; undefined when there is none. */
export function readLinkSync(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL', 'ESRCH', 'EACCES')) return undefined;
    throw error;
  }
}

/** Sets permission bits as they are: what makes files takes the umask off. */
export async function setMode(path: string, mode: number): Promise<void> {
  await chmod(path, mode);
}

/** Makes an empty file that only its owner reads, such as a place to mount a file on; it is no error when it is there. */
export async function makePrivateFile(path: string): Promise<void> {
  await using _made = await open(path, 'a', 0o600);
}
