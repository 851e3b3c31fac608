import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { MalformedError, isErrno } from '#errors/errors.ts';

/** open(2)'s flag for a name that is not read. Node has no constant for it. */
const O_PATH = 0o10_000_000;
const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** As the kernel's own bound on links in one path. */
const mostLinks = 40;

/**
 * Reads a file of a root file system as a process in it would see it: links, also absolute ones, begin and end at `root`, and
 * `..` does not lead out. Nobody who changes the tree meanwhile can lead it elsewhere. Undefined when there is no such file.
 * Throws MalformedError when it is no regular file or longer than `maxBytes`.
 */
export async function readTextInRoot(root: string, path: string, maxBytes: number): Promise<string | undefined> {
  const walked: FileHandle[] = [await open(root, O_PATH)];
  try {
    const found = await walk(walked, path);
    return found && (await read(found, `${path} of ${root}`, maxBytes));
  } finally {
    await Promise.all(walked.map(async (handle) => await handle.close()));
  }
}

/** Walks name by name; `walked` holds the folders from the root to where it is. */
async function walk(walked: FileHandle[], path: string): Promise<FileHandle | undefined> {
  const names = path.split('/');
  for (let links = 0; names.length > 0 && links <= mostLinks;) {
    const name = names.shift() ?? '';
    if (name === '..') await back(walked, Math.max(1, walked.length - 1));
    if (name === '..' || name === '.' || name === '') continue;
    const step = await enter(walked, name);
    if (step === undefined) return undefined;
    if (typeof step !== 'string') continue;
    links += 1;
    if (step.startsWith('/')) await back(walked, 1);
    names.unshift(...step.split('/'));
    if (links > mostLinks) throw new MalformedError(`${path} has too many links`);
  }
  return walked.at(-1);
}

/** Goes on to a name; where that is a link, stays and returns where it points. */
async function enter(walked: FileHandle[], name: string): Promise<FileHandle | string | undefined> {
  const at = `${descriptorPath(walked.at(-1))}/${name}`;
  try {
    const next = await open(at, O_PATH | O_NOFOLLOW);
    walked.push(next);
    if (!(await next.stat()).isSymbolicLink()) return next;
    await back(walked, walked.length - 1);
    return await readlink(at);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

async function back(walked: FileHandle[], depth: number): Promise<void> {
  while (walked.length > depth) await walked.pop()?.close();
}

async function read(found: FileHandle, what: string, maxBytes: number): Promise<string> {
  if (!(await found.stat()).isFile()) throw new MalformedError(`${what} is no file`);
  await using handle = await open(descriptorPath(found), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length > maxBytes) break;
  }
  if (length > maxBytes) throw new MalformedError(`${what} is longer than ${maxBytes} bytes`);
  return buffer.toString('utf8', 0, length);
}

/** The kernel resolves the descriptor, not the path that it was opened by. */
function descriptorPath(handle: FileHandle | undefined): string {
  return `/proc/self/fd/${handle?.fd}`;
}
