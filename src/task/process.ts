import { FailedPreconditionError, NotFoundError } from '#errors/errors.ts';
import type { TaskContext } from './context.ts';
import type { TaskFact } from './events.ts';
import { HeldNotices } from './held-notices.ts';
import type { Attachment, ProcessIo } from './io.ts';
import { observed } from './operations.ts';
import type { Cancellable, Exit, ProcessRef } from './runtime.ts';
import type { Phase, Status, Verb } from './state.ts';
import { Waiters } from './waiters.ts';

/** A terminal's size in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The largest width or height that the kernel's `struct winsize` holds. */
const largestSize = 0xffff;

/**
 * What a task and an exec have in common: containerd's Process. Nothing here takes the task's lock: these may be asked at any
 * time, also while a verb is under way.
 */
export abstract class Process {
  abstract readonly ref: ProcessRef;
  readonly io: ProcessIo;
  protected readonly context: TaskContext;
  /** What the runtime tells of this process. */
  protected readonly notices = new HeldNotices();
  #pid: number;
  #exit: Exit | undefined;
  #gone: Error | undefined;
  #waiting = 0;
  readonly #waiters = new Waiters<Exit>();

  protected constructor(context: TaskContext, made: { readonly io: ProcessIo; pid?: number; exit?: Exit | undefined }) {
    this.context = context;
    this.io = made.io;
    this.#pid = made.pid ?? 0;
    this.#exit = made.exit;
  }

  abstract get phase(): Phase;
  abstract get status(): Status;
  /** The name for messages, such as `default/web`. */
  protected abstract get name(): string;
  /** Throws where the transition table does not allow the verb now. */
  protected abstract check(verb: Verb): void;

  /** The host's pid, kept after the end; 0 where there was no process yet. */
  get pid(): number {
    return this.#pid;
  }

  /** How it ended; the same value in wait, delete and the exit event. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /**
   * Resolves with the exit: at once when there is one already, also after a delete, which ends a process that never ran.
   * Rejects with the signal's error (DeadlineExceededError as it is, else CancelledError), and with UnavailableError when the
   * agent lets go of the task, which runs on.
   */
  async wait({ signal }: Cancellable = {}): Promise<Exit> {
    if (this.#exit) return this.#exit;
    if (this.#gone) throw this.#gone;
    using _counted = this.#countWaiter();
    return await this.#waiters.wait(signal, `the end of ${this.name}`);
  }

  /** Sets the size of the process's terminal; nothing without one. More than 16 bits are cut off, as the kernel does. */
  resize({ width, height }: TerminalSize): Promise<void> {
    return observed(this.context, 'resize', async () => {
      this.check('resize');
      if (!this.io.terminal || this.#exit) return;
      await this.context.runtime.resize(this.ref, { width: width & largestSize, height: height & largestSize });
    });
  }

  /** Gives up the agent's own writing end of stdin. Harmless when done twice or after the end. */
  async closeStdin(): Promise<void> {
    if (this.#exit) return;
    await this.context.runtime.closeStdin(this.ref);
  }

  /**
   * Connects to the streams that the monitor keeps. Throws FailedPreconditionError when it has ended or has other streams. What
   * a process without a log wrote is there for the first who attaches, also after its end.
   */
  async attach(): Promise<Attachment> {
    if (this.#exit && !(this.io.kind === 'log' && this.io.path === undefined)) {
      throw new FailedPreconditionError(`cannot attach to a ${this.phase} process: ${this.name} is ${this.phase}`);
    }
    return await this.context.runtime.attach(this.ref);
  }

  protected publish(fact: TaskFact): void {
    const { namespace, id } = this.ref;
    const whose = { namespace, containerId: id, atMs: this.context.clock.nowMs() };
    this.context.events.publish({ ...whose, ...fact });
  }

  /** Ends all waiting because the agent leaves. */
  protected letGo(reason: Error): void {
    this.#gone = reason;
    this.#waiters.reject(reason);
  }

  protected began(pid: number): void {
    this.#pid = pid;
  }

  /** Stores the exit and answers those who wait for it; the event comes first. */
  protected settle(exit: Exit, tell: () => void): void {
    this.#exit = exit;
    tell();
    this.#waiters.resolve(exit);
  }

  /** Like wait, for the core's own use: the runtime is not told that somebody waits. */
  protected async settled(): Promise<Exit> {
    if (this.#gone) throw this.#gone;
    return this.#exit ?? (await this.#waiters.wait(undefined, `the end of ${this.name}`));
  }

  /** Sends a signal that the table allows; 0 only asks. */
  protected async signal(signal: number): Promise<void> {
    if (signal === 0 || (await this.context.runtime.kill(this.ref, signal))) return;
    throw new NotFoundError(`process already finished: not found: process ${this.name} has ended`);
  }

  #countWaiter(): Disposable {
    this.#waiting += 1;
    if (this.#waiting === 1) this.context.runtime.waited(this.ref, true);
    return {
      [Symbol.dispose]: () => {
        this.#waiting -= 1;
        if (this.#waiting === 0) this.context.runtime.waited(this.ref, false);
      },
    };
  }
}
