import { FailedPreconditionError, UnavailableError, isErrno } from '#errors/errors.ts';
import type { Clock } from '#async/clock.ts';
import { openDescriptor } from '#host/descriptors.ts';
import { writeTextSync } from '#host/files.ts';
import type { Log } from '#log/log.ts';
import type { Attachment } from '#task/io.ts';
import type { MonitoredProcess } from '../monitored-process.ts';

/** Looks after the streams of the processes while this agent runs. */
export class StdioKeeper {
  readonly #log: Log;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.#log = options.log;
  }

  /** Takes up a process that has just been made or that a former agent made. */
  adopt(process: MonitoredProcess): Promise<void> {
    const { io } = process;
    if (io.kind === 'fifo' && !io.terminal && io.stdin && !process.keepsStdin) {
      try {
        process.keepStdin(openDescriptor(io.stdin, 'write-nonblocking'));
      } catch (error) {
        // Nobody reads it any more, or the client has removed it: there is nothing to keep.
        if (!isErrno(error, 'ENXIO', 'ENOENT')) this.#log.warn({ err: error }, 'cannot keep a stdin open');
      }
    }
    return Promise.resolve();
  }

  /** Lets go of everything that is held for a process. */
  ended(process: MonitoredProcess): Promise<void> {
    process.releaseStdin();
    return Promise.resolve();
  }

  /** Tells a terminal its size. Throws FailedPreconditionError for a process without one. */
  resize(process: MonitoredProcess, size: { readonly width: number; readonly height: number }): Promise<void> {
    if (!process.io.terminal) throw new FailedPreconditionError('cannot resize: the process has no terminal');
    command(process, `1 ${size.height} ${size.width}\n`);
    return Promise.resolve();
  }

  closeStdin(process: MonitoredProcess): Promise<void> {
    process.releaseStdin();
    return Promise.resolve();
  }

  attach(process: MonitoredProcess): Promise<Attachment> {
    throw new FailedPreconditionError(`cannot attach to ${process.folder.path}`);
  }

  waited(_process: MonitoredProcess, _waiting: boolean): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Gives conmon a command through its control FIFO. */
function command(process: MonitoredProcess, line: string): void {
  try {
    writeTextSync(process.folder.control, line);
  } catch (error) {
    throw new UnavailableError('the monitor does not take commands', { cause: error });
  }
}
