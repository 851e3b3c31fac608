import type { Clock } from '#async/clock.ts';
import { watchFolder } from '#host/folder-watch.ts';
import { isAlive } from '#host/process.ts';
import type { Log } from '#log/log.ts';
import type { ProcessIdentity } from '#task/runtime.ts';
import type { ProcessFolder } from '../process-folder.ts';

/** A process whose end is watched for. */
export interface Watched {
  readonly folder: ProcessFolder;
  readonly identity?: ProcessIdentity;
  readonly monitor?: ProcessIdentity;
}

/** What conmon recorded; `lost` when nobody did: the process is gone and so is its monitor. */
export type RecordedExit = { readonly status: number; readonly atMs: number } | 'lost';

export interface ExitListener<P extends Watched> {
  exited(process: P, recorded: RecordedExit): void;
  /** conmon saw the kernel kill something in the process's cgroup. */
  outOfMemory(process: P): void;
}

/** How often monitors are looked after: a task whose monitor was killed has nobody to tell of its end. */
const lookMs = 1000;

/** Every so many looks the start time is compared too, because a pid may belong to somebody else by now. */
const identityEvery = 30;

interface Entry {
  watch: Disposable | undefined;
  monitorGone: boolean;
}

/**
 * Tells of the end of each process once. conmon renames its record into the process's own folder, which the kernel reports
 * within microseconds; a slow look beside it finds what no report can tell of.
 */
export class ExitWatch<P extends Watched> implements Disposable {
  readonly #entries = new Map<P, Entry>();
  readonly #listener: ExitListener<P>;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancelLook: () => void = () => {};
  #looks = 0;

  constructor(options: { readonly listener: ExitListener<P>; readonly clock: Clock; readonly log: Log }) {
    this.#listener = options.listener;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Watches from now on; an end that is on record already is told before this returns. */
  add(process: P): void {
    const entry: Entry = { watch: undefined, monitorGone: false };
    this.#entries.set(process, entry);
    if (this.#entries.size === 1) this.#scheduleLook();
    entry.watch = this.#watch(process, entry);
    this.#check(process);
  }

  /** Stops watching. */
  remove(process: P): void {
    const entry = this.#entries.get(process);
    this.#entries.delete(process);
    entry?.watch?.[Symbol.dispose]();
    if (this.#entries.size === 0) this.#cancelLook();
  }

  /** Looks at once, for who has learned of an end in another way. */
  check(process: P): void {
    if (this.#entries.has(process)) this.#check(process);
  }

  [Symbol.dispose](): void {
    for (const process of this.#entries.keys()) this.remove(process);
  }

  #watch(process: P, entry: Entry): Disposable | undefined {
    const failed = (error: Error) => {
      // Out of inotify watches: the look finds the record a second later.
      this.#log.warn({ err: error, folder: process.folder.persist }, 'cannot watch for an exit; looking instead');
      entry.watch = undefined;
    };
    try {
      // conmon writes under a temporary name first: only the final ones are worth a look.
      const changed = (name: string | undefined) => {
        if (name === undefined || name === 'exit' || name === 'oom') this.check(process);
      };
      return watchFolder(process.folder.persist, changed, failed);
    } catch (error) {
      failed(error as Error);
      return undefined;
    }
  }

  #check(process: P): void {
    if (process.folder.oomSeen) this.#listener.outOfMemory(process);
    const recorded = process.folder.readMonitorExit();
    if (recorded) this.#end(process, recorded);
  }

  #end(process: P, recorded: RecordedExit): void {
    this.remove(process);
    this.#listener.exited(process, recorded);
  }

  #scheduleLook(): void {
    this.#cancelLook = this.#clock.after(lookMs, () => {
      if (this.#entries.size > 0) this.#scheduleLook();
      this.#looks += 1;
      for (const [process, entry] of this.#entries) this.#look(process, entry);
    });
  }

  #look(process: P, entry: Entry): void {
    entry.monitorGone ||= this.#isGone(process.monitor);
    if (!entry.monitorGone) {
      if (!entry.watch) this.#check(process);
      return;
    }
    const recorded = process.folder.readMonitorExit();
    if (recorded) this.#end(process, recorded);
    else if (!process.identity || !isAlive(process.identity)) this.#end(process, 'lost');
  }

  #isGone(monitor: ProcessIdentity | undefined): boolean {
    if (!monitor) return true;
    return this.#looks % identityEvery === 0 ? !isAlive(monitor) : !pidExists(monitor.pid);
  }
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
