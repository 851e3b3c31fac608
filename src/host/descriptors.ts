import * as fs from 'node:fs';
import { isErrno } from '#errors/errors.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

/** Linux's on amd64 and arm64; Node does not name it. */
const O_CLOEXEC = 0o2000000;

/** An open file of ours that is handed to a child or held; closing it twice is harmless. */
export interface Descriptor extends Disposable {
  readonly fd: number;
}

export type OpenMode =
  /** Written at the end, made when it is not there. */
  | 'append'
  /** Never blocks, whoever has the other end of a FIFO. */
  | 'read-nonblocking'
  /** Both ends of a FIFO at once: never blocks, never meets a missing reader. */
  | 'read-write-nonblocking'
  /** The writing end of a FIFO that has a reader. Throws ENXIO when it has none. */
  | 'write-nonblocking';

const flags: Readonly<Record<OpenMode, number>> = {
  append: O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
  'read-nonblocking': O_RDONLY | O_NONBLOCK | O_CLOEXEC,
  'read-write-nonblocking': O_RDWR | O_NONBLOCK | O_CLOEXEC,
  'write-nonblocking': O_WRONLY | O_NONBLOCK | O_CLOEXEC,
};

/** Opens a file at once: a FIFO opened by a promise could hold one of the few worker threads. */
export function openDescriptor(path: string, mode: OpenMode, permissions = 0o600): Descriptor {
  const fd = fs.openSync(path, flags[mode], permissions);
  let open = true;
  return {
    fd,
    [Symbol.dispose]: () => {
      if (!open) return;
      open = false;
      fs.closeSync(fd);
    },
  };
}

/** Reads up to `bytes` from a FIFO opened without blocking: empty at its end, undefined when there is nothing yet. */
export function readNonblocking(descriptor: Descriptor, bytes: number): Buffer | undefined {
  const buffer = Buffer.alloc(bytes);
  try {
    return buffer.subarray(0, fs.readSync(descriptor.fd, buffer, 0, bytes, null));
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return undefined;
    throw error;
  }
}

/**
 * Writes a short text into a FIFO at once. Returns false where there is none, or nobody who reads it: opened in the usual way
 * it would then hold up the whole program.
 */
export function writeFifo(path: string, text: string): boolean {
  try {
    using descriptor = openDescriptor(path, 'write-nonblocking');
    fs.writeSync(descriptor.fd, text);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENXIO', 'EPIPE', 'EAGAIN')) return false;
    throw error;
  }
}

/** Whether somebody reads a FIFO. */
export function hasReader(path: string): boolean {
  return writeFifo(path, '');
}

/** What kind of thing a path names; undefined when there is nothing. */
export function fileKind(path: string): 'file' | 'folder' | 'fifo' | 'socket' | 'other' | undefined {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (!stat) return undefined;
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'folder';
  if (stat.isFIFO()) return 'fifo';
  return stat.isSocket() ? 'socket' : 'other';
}

/** Opens a folder, to name what is in it by a short path. */
export function openFolder(path: string): Descriptor {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | O_CLOEXEC);
  return { fd, [Symbol.dispose]: () => fs.closeSync(fd) };
}

/** How many descriptors this process has open. Linux before 6.2 does not say: it is asked for all their names. */
export function countDescriptors(proc = '/proc'): number {
  const folder = `${proc}/self/fd`;
  return fs.statSync(folder).size || fs.readdirSync(folder).length;
}
