import { dirname } from 'node:path';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { fileKind, openDescriptor, type Descriptor, type OpenMode } from '#host/descriptors.ts';
import { makeFolderSync } from '#host/files.ts';
import type { ProcessIo } from '#task/io.ts';
import type { MonitorStreams } from '../conmon/args.ts';
import type { ProcessFolder } from '../process-folder.ts';

type Stdio = readonly ['ignore' | number, 'ignore' | number, 'ignore' | number];

interface Plan {
  /** The first three descriptors of conmon: the process's own where nothing is kept by the monitor. */
  readonly stdio: Stdio;
  readonly monitor: MonitorStreams;
  /** The agent's own writing end of stdin: without it the process would read end-of-file whenever a client lets go. */
  readonly stdinKeeper?: Descriptor;
}

/** The streams of a process that is about to be made, as conmon is to be given them. */
export type Streams = Plan & Disposable;

type Open = (path: string, mode: OpenMode) => Descriptor;

/**
 * Opens what the process's streams are to be connected to. Disposing of it closes this agent's copies, the keeper apart:
 * the monitor and the process have their own by then. Throws InvalidArgumentError for a path that is no FIFO,
 * FailedPreconditionError where there is none.
 */
export function openStreams(io: ProcessIo, folder: ProcessFolder): Streams {
  const opened: Descriptor[] = [];
  const open: Open = (path, mode) => {
    const descriptor = openDescriptor(path, mode);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    return { ...plan(io, folder, open), [Symbol.dispose]: () => closeAll(opened) };
  } catch (error) {
    closeAll(opened);
    throw error;
  }
}

const notKept: MonitorStreams = { log: 'passthrough', terminal: false, stdin: 'none' };

function plan(io: ProcessIo, folder: ProcessFolder, open: Open): Plan {
  switch (io.kind) {
    case 'null':
      return { stdio: ['ignore', 'ignore', 'ignore'], monitor: notKept };
    case 'file': {
      makeFolderSync(dirname(io.path), 0o755);
      const { fd } = open(io.path, 'append');
      return { stdio: ['ignore', fd, fd], monitor: notKept };
    }
    case 'fifo':
      return io.terminal
        ? { stdio: ownStdio(folder, open), monitor: { log: 'off', terminal: true, stdin: 'open' } }
        : fifos(io, open);
    case 'log':
      if (io.path !== undefined) makeFolderSync(dirname(io.path), 0o755);
      return {
        stdio: ownStdio(folder, open),
        monitor: {
          log: io.path === undefined ? 'off' : { path: io.path },
          terminal: io.terminal,
          stdin: io.stdin ? (io.stdinOnce ? 'once' : 'open') : 'none',
        },
      };
  }
}

/** What conmon has to say itself goes to a file beside. */
function ownStdio(folder: ProcessFolder, open: Open): Stdio {
  const { fd } = open(folder.file('conmon.log'), 'append');
  return ['ignore', fd, fd];
}

/**
 * The client's FIFOs become the process's own descriptors. Both ends of an output are open in the process, so that it gets
 * no SIGPIPE when its reader leaves and the next one can come.
 */
function fifos(io: ProcessIo & { kind: 'fifo' }, open: Open): Plan {
  const output = (path: string | undefined) => (path ? open(fifo(path), 'read-write-nonblocking').fd : 'ignore');
  const input = io.stdin ? open(fifo(io.stdin), 'read-nonblocking') : undefined;
  return {
    stdio: [input?.fd ?? 'ignore', output(io.stdout), output(io.stderr)],
    monitor: notKept,
    ...(io.stdin ? { stdinKeeper: openDescriptor(io.stdin, 'write-nonblocking') } : {}),
  };
}

function fifo(path: string): string {
  const kind = fileKind(path);
  if (kind === undefined) throw new FailedPreconditionError(`cannot open the FIFO ${path}: there is none`);
  if (kind !== 'fifo') throw new InvalidArgumentError(`cannot use ${path} as a stream: it is a ${kind}, not a FIFO`);
  return path;
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor[Symbol.dispose]();
}
