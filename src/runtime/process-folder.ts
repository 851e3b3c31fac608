import { join } from 'node:path';
import { MalformedError } from '#errors/errors.ts';
import { makeFolderSync, modifiedMs, readTextSync, removeFileSync, writeAtomicSync } from '#host/files.ts';
import type { Exit, ProcessIdentity } from '#task/runtime.ts';

/**
 * What is kept of one process, the first of a task or an exec: conmon's files under conmon's names and ours beside them.
 *
 * - `sync`: what conmon answered to the create (conmon/sync.ts)
 * - `persist/exit`, `persist/oom`: what it records, also while no agent runs
 * - `process.id`, `monitor.id`: who the process and its conmon are
 * - `started`, `exit.json`: what the agent saw
 */
export class ProcessFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  get sync(): string {
    return this.file('sync');
  }

  /** conmon's `--persist-dir`. */
  get persist(): string {
    return this.file('persist');
  }

  /** conmon's attach socket, SOCK_SEQPACKET. */
  get attachSocket(): string {
    return this.file('attach');
  }

  /** conmon's control FIFO. */
  get control(): string {
    return this.file('ctl');
  }

  create(): void {
    makeFolderSync(this.persist, 0o700);
  }

  /**
   * Forgets an attempt that failed: its answer, its exit and what conmon left, so that the next one is not taken for it. The
   * answer goes last: as long as it is there the attempt is known.
   */
  clearAttempt(): void {
    const left = ['persist/exit', 'persist/oom', 'attach', 'ctl', 'winsz', 'pid', 'conmon.pid', 'conmon.log'];
    for (const name of [...left, 'process.id', 'monitor.id', 'started', 'exit.json', 'sync']) this.remove(name);
  }

  writeIdentity(kind: 'process' | 'monitor', identity: ProcessIdentity): void {
    writeAtomicSync(this.file(`${kind}.id`), `${identity.pid} ${identity.startTime} ${identity.bootId}`);
  }

  readIdentity(kind: 'process' | 'monitor'): ProcessIdentity | undefined {
    const text = readTextSync(this.file(`${kind}.id`));
    if (text === undefined) return undefined;
    const [pid, startTime, bootId] = text.split(' ');
    if (!startTime || !bootId || !Number.isInteger(Number(pid))) {
      throw new MalformedError(`${this.file(`${kind}.id`)} is not "pid start-time boot-id"`);
    }
    return { pid: Number(pid), startTime, bootId };
  }

  /** The pid that conmon or the runtime wrote down; undefined before it did. */
  readPidFile(name: 'pid' | 'conmon.pid'): number | undefined {
    const pid = Number(readTextSync(this.file(name)) ?? Number.NaN);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  }

  writeStarted(atMs: number): void {
    writeAtomicSync(this.file('started'), String(atMs));
  }

  readStarted(): number | undefined {
    const text = readTextSync(this.file('started'));
    return text === undefined ? undefined : Number(text);
  }

  /** What conmon recorded: the decimal status, and when it did so, which is within 2 ms of the death. */
  readMonitorExit(): { readonly status: number; readonly atMs: number } | undefined {
    const path = join(this.persist, 'exit');
    const text = readTextSync(path);
    const atMs = text === undefined ? undefined : modifiedMs(path);
    if (text === undefined || atMs === undefined) return undefined;
    const status = Number(text);
    if (text.trim() === '' || !Number.isInteger(status))
      throw new MalformedError(`${path} holds no exit status: ${text}`);
    // -1 is conmon's word for an exec that ran out of time.
    return { status: status < 0 ? 255 : status & 0xff, atMs: Math.round(atMs) };
  }

  get oomSeen(): boolean {
    return modifiedMs(join(this.persist, 'oom')) !== undefined;
  }

  writeExit(exit: Exit): void {
    writeAtomicSync(
      this.file('exit.json'),
      JSON.stringify(exit, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
    );
  }

  readExit(): Exit | undefined {
    const text = readTextSync(this.file('exit.json'));
    if (text === undefined) return undefined;
    return JSON.parse(text, (_key, value: unknown) => (isBigint(value) ? BigInt(value.slice(0, -1)) : value)) as Exit;
  }

  remove(name: string): void {
    removeFileSync(this.file(name));
  }
}

/** Whether it is a count as `writeExit` writes it; an exit has no other text that looks like one. */
function isBigint(value: unknown): value is string {
  return typeof value === 'string' && /^\d+n$/.test(value);
}
