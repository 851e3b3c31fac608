import type { ChildProcess } from '#host/spawn.ts';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { CancelledError, UnavailableError } from '#errors/errors.ts';
import { openDescriptor } from '#host/descriptors.ts';
import { readTextSync } from '#host/files.ts';
import { watchFolder } from '#host/folder-watch.ts';
import { endTree } from '#host/process-tree.ts';
import { identify, identifyOrEnded } from '#host/process.ts';
import { exitOf, spawnProgram } from '#host/spawn.ts';
import type { ProcessIdentity } from '#task/runtime.ts';
import { RuntimeFailedError, lastError } from '../runc/failure.ts';
import { monitorArgs, type MonitorCall } from './args.ts';
import { parseSync } from './sync.ts';

export interface MonitorStart {
  readonly program: string;
  readonly call: MonitorCall;
  /** conmon's environment, which the runtime gets from it. */
  readonly env: Readonly<Record<string, string>>;
  /** The first three descriptors: the process's own with `passthrough`, else conmon's. */
  readonly stdio: readonly ['ignore' | number, 'ignore' | number, 'ignore' | number];
  /** Called while conmon waits, so that it and all that it starts are in this cgroup. */
  readonly adopt: (monitorPid: number) => Promise<unknown>;
  /** With `attachFirst`: called when conmon listens for clients; the process is run when it has returned. */
  readonly beforeRun?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface Monitored {
  readonly process: ProcessIdentity;
  /** Undefined when the process, and conmon with it, has ended already. */
  readonly monitor?: ProcessIdentity;
}

/** How often a start that says nothing is looked after: conmon may have been killed, and then nobody tells. */
const lookMs = 50;

/**
 * Starts conmon, moves it to its cgroup while it waits on its start pipe, lets it call the runtime and returns once the
 * process exists. The answer comes through a plain file, so that it outlives this agent: whoever reads the folder next
 * finds it. Throws RuntimeFailedError with the runtime's text; what was half made is the caller's to undo.
 */
export async function startMonitored(start: MonitorStart): Promise<Monitored> {
  const { folder } = start.call;
  using sync = openDescriptor(folder.sync, 'append');
  const child = await spawnProgram(start.program, monitorArgs(start.call), {
    cwd: folder.path,
    env: {
      ...start.env,
      ...{ _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
      ...(start.beforeRun ? { _OCI_ATTACHPIPE: '5' } : {}),
    },
    stdio: [...start.stdio, sync.fd, 'pipe', ...(start.beforeRun ? (['pipe'] as const) : [])],
  });
  child.unref();
  const answered = answer(start, exitOf(child));
  answered.catch(() => {}); // it may fail while conmon is still being led to its start; it is awaited after that
  try {
    await letGo(start, child);
    return identities(start, await answered);
  } catch (error) {
    giveUp(start, child);
    await answered.catch(() => {}); // the first failure is the cause
    throw error;
  }
}

/** Ends conmon, in whichever of its two processes it is, and the runtime that it called. */
function giveUp(start: MonitorStart, child: ChildProcess): void {
  for (const pid of [child.exitCode === null ? child.pid : undefined, start.call.folder.readPidFile('conmon.pid')]) {
    const identity = pid === undefined ? undefined : identify(pid);
    if (identity) endTree(identity);
  }
}

/** Leads conmon through its start pipe: one byte to begin, another once somebody has attached. */
async function letGo(start: MonitorStart, child: ChildProcess): Promise<void> {
  const [, , , , startPipe, attachPipe]: readonly unknown[] = child.stdio;
  if (!(startPipe instanceof Socket)) throw new UnavailableError('conmon was started without its start pipe');
  startPipe.on('error', () => {}); // conmon has ended; the answer says why
  if (child.pid !== undefined) await start.adopt(child.pid);
  if (!start.beforeRun) {
    startPipe.end('\n');
    return;
  }
  startPipe.write('\n');
  if (!(attachPipe instanceof Socket)) throw new UnavailableError('conmon was started without its attach pipe');
  const listens = await Promise.race([
    once(attachPipe, 'data').then(() => true),
    once(attachPipe, 'end').then(() => false),
  ]);
  attachPipe.destroy();
  if (listens) await start.beforeRun();
  startPipe.end('\n');
}

function identities(start: MonitorStart, pid: number): Monitored {
  const { folder } = start.call;
  const monitorPid = folder.readPidFile('conmon.pid');
  const monitor = monitorPid === undefined ? undefined : identify(monitorPid);
  const process = identifyOrEnded(pid); // an exec may have ended by now
  if (monitor) folder.writeIdentity('monitor', monitor);
  folder.writeIdentity('process', process);
  return monitor ? { process, monitor } : { process };
}

/** Waits for the pid in the sync file. */
async function answer(start: MonitorStart, ended: Promise<number | undefined>): Promise<number> {
  const { folder } = start.call;
  let wake = Promise.withResolvers<void>();
  let first: { readonly code: number | undefined } | undefined;
  void ended.then((code) => {
    first = { code };
    wake.resolve();
    return undefined;
  });
  using _watch = watchFolder(
    folder.path,
    () => wake.resolve(),
    () => wake.resolve(),
  );
  for (;;) {
    wake = Promise.withResolvers();
    // Who is asked first matters: a conmon that is gone has written all that it will ever write.
    const gone = first !== undefined && monitorGone(start, first.code);
    const [message] = parseSync(readTextSync(folder.sync) ?? '');
    if (message && message.data > 0) return message.data;
    if (message || gone) throw failure(start, message?.message);
    if (start.signal?.aborted)
      throw new CancelledError('gave up waiting for the runtime', { cause: start.signal.reason });
    using _timer = wakeAfter(lookMs, wake.resolve);
    await wake.promise;
  }
}

function wakeAfter(ms: number, wake: () => void): Disposable {
  const timer = setTimeout(wake, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** conmon's first process leaves at once with 0 and a second one goes on; its pid file is there by then. */
function monitorGone(start: MonitorStart, code: number | undefined): boolean {
  if (code !== 0) return true;
  const pid = start.call.folder.readPidFile('conmon.pid');
  return pid === undefined || identify(pid) === undefined;
}

function failure(start: MonitorStart, message: string | undefined): RuntimeFailedError {
  const { folder } = start.call;
  const said = lastError(readTextSync(folder.file('runtime.log')) ?? '') ?? message;
  const monitorSaid = readTextSync(folder.file('conmon.log'))?.trim().split('\n').at(-1);
  return new RuntimeFailedError(said || monitorSaid || `${start.call.runtime} or conmon ended without a word`);
}
