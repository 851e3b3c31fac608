import { dirname } from 'node:path';
import { FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import { fileKind, openDescriptor, type Descriptor, type OpenMode } from '#host/descriptors.ts';
import { makeFolderSync } from '#host/files.ts';
import type { ProcessIo } from '#task/io.ts';
import type { MonitorCall } from '../conmon/args.ts';
import type { ProcessFolder } from '../process-folder.ts';

type Stdio = readonly ['ignore' | number, 'ignore' | number, 'ignore' | number];

/** The streams of a process that is about to be made, as conmon is to be given them. */
export interface Streams extends Disposable {
  readonly stdio: Stdio;
  readonly log: MonitorCall['log'];
  readonly terminal: boolean;
  readonly stdin: boolean;
  /**
   * The agent's own writing end of the process's stdin: without it the process would read end-of-file whenever a client
   * lets go. It is no longer the streams' to close once it has been taken.
   */
  takeStdinKeeper(): Descriptor | undefined;
}

/**
 * Opens what the process's streams are to be connected to. Disposing of it closes this agent's copies: the monitor and the
 * process have their own by then. Throws InvalidArgumentError for a path that is no FIFO.
 */
export function openStreams(io: ProcessIo, folder: ProcessFolder): Streams {
  const opened: Descriptor[] = [];
  const open = (path: string, mode: OpenMode): Descriptor => {
    const descriptor = openDescriptor(path, mode);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    return { ...connect(io, folder, open), [Symbol.dispose]: () => closeAll(opened) };
  } catch (error) {
    closeAll(opened);
    throw error;
  }
}

type Open = (path: string, mode: OpenMode) => Descriptor;

function connect(io: ProcessIo, folder: ProcessFolder, open: Open): Omit<Streams, typeof Symbol.dispose> {
  const none = { terminal: false, stdin: false, takeStdinKeeper: () => undefined };
  switch (io.kind) {
    case 'null':
      return { ...none, stdio: ['ignore', 'ignore', 'ignore'], log: 'passthrough' };
    case 'file': {
      makeFolderSync(dirname(io.path));
      const { fd } = open(io.path, 'append');
      return { ...none, stdio: ['ignore', fd, fd], log: 'passthrough' };
    }
    case 'fifo':
      return io.terminal ? { ...none, ...keptByMonitor(folder, open), terminal: true, stdin: true } : fifos(io, open);
    case 'log': {
      if (io.path !== undefined) makeFolderSync(dirname(io.path));
      const log = io.path === undefined ? ('off' as const) : { path: io.path };
      return { ...none, ...keptByMonitor(folder, open), log, terminal: io.terminal, stdin: io.stdin };
    }
  }
}

/** conmon keeps pipes or the terminal; what it has to say itself goes to a file beside. */
function keptByMonitor(folder: ProcessFolder, open: Open): { readonly stdio: Stdio; readonly log: 'off' } {
  const { fd } = open(folder.file('conmon.log'), 'append');
  return { stdio: ['ignore', fd, fd], log: 'off' };
}

/**
 * The client's FIFOs become the process's own descriptors. Both ends of an output are open in the process, so that it gets
 * no SIGPIPE when its reader leaves and the next one can come.
 */
function fifos(io: ProcessIo & { kind: 'fifo' }, open: Open): Omit<Streams, typeof Symbol.dispose> {
  const output = (path: string | undefined) => (path ? open(fifo(path), 'read-write-nonblocking').fd : 'ignore');
  const input = io.stdin ? open(fifo(io.stdin), 'read-nonblocking') : undefined;
  let keeper = io.stdin ? openDescriptor(io.stdin, 'write-nonblocking') : undefined;
  return {
    stdio: [input?.fd ?? 'ignore', output(io.stdout), output(io.stderr)],
    log: 'passthrough',
    terminal: false,
    stdin: false,
    takeStdinKeeper: () => {
      const taken = keeper;
      keeper = undefined;
      return taken;
    },
  };
}

/** Checks that a path names a FIFO. */
export function fifo(path: string): string {
  const kind = fileKind(path);
  if (kind === undefined) throw new FailedPreconditionError(`cannot open the FIFO ${path}: there is none`);
  if (kind !== 'fifo') throw new InvalidArgumentError(`cannot use ${path} as a stream: it is a ${kind}, not a FIFO`);
  return path;
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor[Symbol.dispose]();
}
