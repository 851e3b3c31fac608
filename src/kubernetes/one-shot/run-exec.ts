import type { Clock } from '#async/clock.ts';
import { RunletError, errorMessage } from '#errors/errors.ts';
import type { ProcessSpec } from '#oci/runtime-spec.ts';
import type { ExecProcess } from '#task/exec-process.ts';
import { parseExecId } from '#task/ids.ts';
import { noIo, type ProcessIo } from '#task/io.ts';
import type { Exit } from '#task/runtime.ts';
import type { Task } from '#task/task.ts';
import { execProcessSpec } from './exec-process-spec.ts';
import { endExecTree } from './exec-tree.ts';
import { captured, HeadTail } from './head-tail.ts';
import { failed, succeeded, unknown, type Outcome, type Result } from './record.ts';
import type { ExecSpec } from './request.ts';

export interface ExecRun {
  readonly task: Task;
  /** The task's own process, as it was made. */
  readonly process: ProcessSpec;
  readonly uid: string;
  readonly spec: ExecSpec;
  readonly clock: Clock;
  /** The object has been deleted, or the agent stops. */
  readonly signal: AbortSignal;
}

/** Streams that this agent reads as they come; nothing of them is written to the node's disk. */
const captureIo: ProcessIo = { kind: 'log', terminal: false, stdin: false };
/** How long output may still come after the program's end: what it left running may hold its streams open. */
const lateOutputMs = 1000;
/** How long the end of what was killed may take to be told. */
const endPatienceMs = 10_000;

/** The name of an exec's process in its task. */
export function execIdOf(uid: string): string {
  return `exec-${uid}`;
}

/**
 * Runs the program of a NodeTaskExec to its end, or until its time is over, and tells what came of it. Undefined when the
 * agent stops meanwhile: then the next one ends what is left.
 */
export async function runExec(run: ExecRun): Promise<Outcome | undefined> {
  const { task, spec, uid } = run;
  let exec: ExecProcess | undefined;
  try {
    const io = spec.capture === 'HeadTail' ? captureIo : noIo;
    const process = execProcessSpec(run.process, spec, uid);
    exec = await task.exec(parseExecId(execIdOf(uid)), { process, io });
    await exec.start();
  } catch (error) {
    await exec?.delete().catch(() => {});
    return failed('StartFailed', `its program cannot be started: ${errorMessage(error)}`);
  }
  return await watchExec(run, exec);
}

/** Ends what a former agent has left of an exec. */
export async function endLeftExec(task: Task, uid: string, clock: Clock): Promise<void> {
  const left = task.execs.find(({ execId }) => execId === execIdOf(uid));
  await endExecTree(task, uid, { clock, pid: left?.exit ? 0 : (left?.pid ?? 0) });
  if (!left) return;
  if (left.live) await within(clock, endPatienceMs, left.wait());
  await left.delete().catch(() => {});
}

async function watchExec(run: ExecRun, exec: ExecProcess): Promise<Outcome | undefined> {
  const { task, uid, spec, clock, signal } = run;
  const streams = { stdout: new HeadTail(), stderr: new HeadTail() };
  const reading = spec.capture === 'HeadTail' ? readOutput(exec, streams) : undefined;
  try {
    const exit = await within(clock, spec.timeoutSeconds * 1000, exec.wait({ signal }));
    if (!exit) {
      await endExecTree(task, uid, { clock, pid: exec.pid });
      await within(clock, endPatienceMs, exec.wait({ signal }));
    }
    if (reading) await within(clock, lateOutputMs, reading.done);
    const output = reading ? captured(streams.stdout, streams.stderr) : {};
    return exit ? outcomeOf(exit, output) : failed('Timeout', timeoutText(spec), output);
  } catch (error) {
    if (!signal.aborted && !isLeaving(error)) throw error;
    return await givenUp(run, exec);
  } finally {
    await reading?.stop();
    if (exec.exit) await exec.delete().catch(() => {});
  }
}

function timeoutText({ timeoutSeconds }: ExecSpec): string {
  return `it ran for longer than spec.timeoutSeconds (${timeoutSeconds}): all its processes were killed`;
}

/** Whoever deletes the object wants its program to end; an agent that leaves ends nothing. */
async function givenUp({ task, uid, clock, signal }: ExecRun, exec: ExecProcess): Promise<Outcome | undefined> {
  if (!(signal.reason instanceof ObjectGoneError)) return undefined;
  await endExecTree(task, uid, { clock, pid: exec.pid });
  await within(clock, endPatienceMs, exec.wait());
  return unknown('the object was deleted while its program ran; all its processes were killed');
}

/** Why an exec is given up: nobody asks for it any more. */
export class ObjectGoneError extends RunletError {
  constructor(name: string) {
    super('cancelled', `${name} is gone`);
  }
}

function isLeaving(error: unknown): boolean {
  return error instanceof RunletError && error.code === 'unavailable';
}

function outcomeOf(exit: Exit, output: Result): Outcome {
  if (exit.reason === 'Lost') {
    return {
      ...unknown('its end was not seen: the task ended, or its monitor was killed'),
      reason: 'Lost',
      result: output,
    };
  }
  const result = { exitStatus: exit.status, ...output };
  return exit.status === 0
    ? succeeded('its program ended with 0', result)
    : failed('NonZeroExit', `its program ended with ${exit.status}`, result);
}

interface Reading {
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

function readOutput(exec: ExecProcess, streams: Readonly<Record<'stdout' | 'stderr', HeadTail>>): Reading {
  const attaching = exec.attach();
  const read = async () => {
    const attachment = await attaching;
    for await (const { stream, data } of attachment.output) streams[stream].add(data);
  };
  const close = async () => await (await attaching)[Symbol.asyncDispose]();
  return { done: read().catch(() => {}), stop: () => close().catch(() => {}) };
}

/** What a promise comes to within a time; undefined when it takes longer. */
async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const cancel = clock.after(ms, () => late.resolve(undefined));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    cancel();
    promise.catch(() => {});
  }
}
