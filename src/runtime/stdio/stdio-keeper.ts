import type { Clock } from '#async/clock.ts';
import { FailedPreconditionError, UnavailableError, isErrno } from '#errors/errors.ts';
import { openDescriptor, writeFifo } from '#host/descriptors.ts';
import type { Log } from '#log/log.ts';
import type { Attachment } from '#task/io.ts';
import type { MonitoredProcess } from '../monitored-process.ts';
import { AttachConnection } from './attach-connection.ts';
import { afterLastOutput } from './last-output.ts';
import { rotateLog, type RotationLimits } from './log-rotation.ts';
import { hasOtherWriter } from './stdin-rule.ts';
import { bridgeTerminal, type TerminalBridge } from './terminal-bridge.ts';

export interface StdioOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly rotation: RotationLimits;
}

/** How often the logs' lengths are looked at: at 100 MB/s a log may be that much longer than its limit. */
const rotationMs = 1000;

/** How long a client that waits for a process may take to open its stdin, before it counts as having none to send. */
const openPatienceMs = 1000;

/** Between two looks at who has a stdin open. */
const writerLookMs = 100;

interface Kept {
  bridge?: TerminalBridge;
  /** Connected before the process ran, so that no output is lost to the first who attaches. */
  early?: AttachConnection;
  stopLooking?: () => void;
  /** Set while its end is held back. */
  stopHolding?: () => void;
}

/** Looks after the streams of the processes while this agent runs. */
export class StdioKeeper {
  readonly #options: StdioOptions;
  readonly #kept = new Map<MonitoredProcess, Kept>();
  /** Set while the next look at the logs' lengths is due: where no log is written, nothing wakes the agent. */
  #stopRotation: (() => void) | undefined;
  #closed = false;

  constructor(options: StdioOptions) {
    this.#options = options;
  }

  /** Connects to an exec that waits for it, so that not even its first byte is lost. */
  async early(process: MonitoredProcess): Promise<void> {
    if (process.io.kind === 'fifo') await this.#bridge(process);
    else if (process.io.kind === 'log' && process.io.path === undefined) {
      this.#of(process).early = await AttachConnection.connect(process.folder.attachSocket);
    }
  }

  /** Takes up a process that has just been made or that a former agent made. */
  async adopt(process: MonitoredProcess): Promise<void> {
    const { io } = process;
    if (io.kind === 'fifo' && io.terminal) await this.#bridge(process);
    if (io.kind === 'fifo' && !io.terminal && io.stdin && !process.keepsStdin) this.#reopenStdin(process, io.stdin);
    this.#of(process);
  }

  /** Calls when the client of a process that has ended may hear of it: at once, or after its terminal's last output. */
  beforeEnd(process: MonitoredProcess, call: () => void): void {
    const kept = this.#kept.get(process);
    if (kept?.bridge) kept.stopHolding = afterLastOutput(kept.bridge, this.#options.clock, call);
    else call();
  }

  /**
   * A process has ended: nothing is held for it any more but what it wrote last. That is still on its way to who is attached,
   * or may be fetched by who attaches now; the monitor closes the connections.
   */
  ended(process: MonitoredProcess): void {
    const kept = this.#kept.get(process);
    kept?.stopLooking?.();
    kept?.stopHolding?.();
    process.releaseStdin();
    if (kept?.bridge) void kept.bridge.ended.then(() => this.#kept.delete(process));
    else if (!kept?.early) this.#kept.delete(process);
  }

  /** Lets go of everything that is held for a process. */
  async forget(process: MonitoredProcess): Promise<void> {
    const kept = this.#kept.get(process);
    this.ended(process);
    this.#kept.delete(process);
    await kept?.early?.[Symbol.asyncDispose]();
    const bridge = kept?.bridge;
    if (!bridge) return;
    // A client's terminal gets to its end by itself, unless nobody reads it any more.
    if (process.exit) afterLastOutput(bridge, this.#options.clock, () => void bridge[Symbol.asyncDispose]());
    else await bridge[Symbol.asyncDispose]();
  }

  /** Tells a terminal its size, in characters. Throws FailedPreconditionError for a process without one. */
  resize(process: MonitoredProcess, size: { readonly width: number; readonly height: number }): Promise<void> {
    if (!process.io.terminal) throw new FailedPreconditionError('cannot resize: the process has no terminal');
    if (writeFifo(process.folder.control, `1 ${size.height} ${size.width}\n`)) return Promise.resolve();
    throw new UnavailableError('cannot resize: the monitor of the process is gone');
  }

  closeStdin(process: MonitoredProcess): Promise<void> {
    process.releaseStdin();
    return Promise.resolve();
  }

  /** Connects a client to the streams that the monitor keeps. Throws FailedPreconditionError where it keeps none. */
  async attach(process: MonitoredProcess): Promise<Attachment> {
    if (process.io.kind !== 'log') {
      throw new FailedPreconditionError(`cannot attach: the streams of the process go to ${process.io.kind}`);
    }
    const kept = this.#of(process);
    const { early } = kept;
    delete kept.early;
    if (process.exit) this.#kept.delete(process);
    if (early) return early;
    if (process.exit) throw new FailedPreconditionError('cannot attach: the process has ended');
    return await AttachConnection.connect(process.folder.attachSocket);
  }

  /**
   * A client that waits for a process and lets go of its stdin means its end. So our own writing end goes as soon as the
   * client's is there, whose leaving then ends the stream; or after a while when none has come.
   */
  waited(process: MonitoredProcess, waiting: boolean): void {
    const kept = this.#kept.get(process);
    kept?.stopLooking?.();
    const { io } = process;
    if (!kept || !waiting || io.kind !== 'fifo' || io.stdin === undefined || !process.keepsStdin) return;
    const fifo = io.stdin;
    const until = this.#options.clock.monotonicMs() + openPatienceMs;
    const look = () => {
      if (hasOtherWriter(fifo) || this.#options.clock.monotonicMs() >= until) process.releaseStdin();
      else kept.stopLooking = this.#options.clock.after(writerLookMs, look);
    };
    look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopRotation?.();
    for (const [process, kept] of this.#kept) {
      kept.stopLooking?.();
      kept.stopHolding?.();
      process.releaseStdin();
      await kept.bridge?.[Symbol.asyncDispose]();
      await kept.early?.[Symbol.asyncDispose]();
    }
    this.#kept.clear();
  }

  #of(process: MonitoredProcess): Kept {
    const kept = this.#kept.get(process) ?? {};
    this.#kept.set(process, kept);
    if (process.io.kind === 'log' && process.io.path !== undefined) this.#scheduleRotation();
    return kept;
  }

  async #bridge(process: MonitoredProcess): Promise<void> {
    const kept = this.#of(process);
    if (kept.bridge || process.io.kind !== 'fifo' || !process.io.terminal) return;
    kept.bridge = await bridgeTerminal(process.io, process.folder.attachSocket, (error) =>
      this.#options.log.debug({ err: error }, 'a terminal was let go of'),
    );
  }

  #reopenStdin(process: MonitoredProcess, fifo: string): void {
    try {
      process.keepStdin(openDescriptor(fifo, 'write-nonblocking'));
    } catch (error) {
      // Nobody reads it any more, or the client has removed it: there is nothing to keep.
      if (!isErrno(error, 'ENXIO', 'ENOENT')) throw error;
    }
  }

  #scheduleRotation(): void {
    if (this.#closed || this.#stopRotation) return;
    const { clock, log, rotation } = this.#options;
    this.#stopRotation = clock.after(rotationMs, () => {
      this.#stopRotation = undefined;
      const rotations = [...this.#kept.keys()].flatMap((process) => {
        const path = process.io.kind === 'log' ? process.io.path : undefined;
        return path === undefined
          ? []
          : [rotateLog({ path, control: process.folder.control }, rotation, clock.nowMs())];
      });
      void Promise.allSettled(rotations).then((outcomes) => {
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') log.warn({ err: outcome.reason as unknown }, 'cannot rotate a log');
        }
        if (rotations.length > 0) this.#scheduleRotation();
        return undefined;
      });
    });
  }
}
