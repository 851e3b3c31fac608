import type { Descriptor } from '#host/descriptors.ts';
import { endTree } from '#host/process-tree.ts';
import { isAlive, signalProcess } from '#host/process.ts';
import type { ProcessIo } from '#task/io.ts';
import type { Exit, ProcessIdentity, ProcessRef } from '#task/runtime.ts';
import type { ProcessFolder } from './process-folder.ts';

/** One process of a task with its conmon, as this agent holds them: who they are and what is open on their behalf. */
export class MonitoredProcess implements Disposable {
  readonly ref: ProcessRef;
  readonly folder: ProcessFolder;
  readonly io: ProcessIo;
  identity?: ProcessIdentity;
  monitor?: ProcessIdentity;
  /** Its end, once it has been seen. */
  exit?: Exit;
  /** Whether a KILL of ours is why it ends: then no other reason is looked for. */
  killed = false;
  /** Why it ends, where that is known before. */
  endReason?: Exit['reason'];
  #stdinKeeper: Descriptor | undefined;

  constructor(ref: ProcessRef, folder: ProcessFolder, io: ProcessIo) {
    this.ref = ref;
    this.folder = folder;
    this.io = io;
  }

  get alive(): boolean {
    return this.identity !== undefined && isAlive(this.identity);
  }

  /** Sends a signal to that very process; false when it has ended. */
  signal(signal: number): boolean {
    if (this.identity === undefined || this.exit) return false;
    const sent = signalProcess(this.identity, signal);
    if (sent && signal === 9) this.killed = true;
    return sent;
  }

  /** Ends its conmon, whose work is done or is to be undone, with the runtime that it may have called. */
  endMonitor(): void {
    if (this.monitor) endTree(this.monitor);
  }

  keepStdin(keeper: Descriptor | undefined): void {
    this.#stdinKeeper?.[Symbol.dispose]();
    this.#stdinKeeper = keeper;
  }

  get keepsStdin(): boolean {
    return this.#stdinKeeper !== undefined;
  }

  /** Lets go of the agent's writing end of stdin, so that the last client's leaving is its end. */
  releaseStdin(): void {
    this.keepStdin(undefined);
  }

  [Symbol.dispose](): void {
    this.releaseStdin();
  }
}
