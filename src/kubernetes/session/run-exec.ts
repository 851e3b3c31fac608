import type { Clock } from '#async/clock.ts';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { ProcessSpec } from '#oci/runtime-spec.ts';
import type { ExecProcess } from '#task/exec-process.ts';
import { parseExecId } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import { execProcessSpec } from '../one-shot/exec-process-spec.ts';
import { endLeftExec, execIdOf } from '../one-shot/run-exec.ts';
import type { ExecSessionSpec } from './announced.ts';
import { converse } from './converse.ts';
import { SessionRefusedError, type SessionOutcome } from './record.ts';
import type { SessionRecorder } from './recorder.ts';
import type { SessionClient, TerminalSize } from './stream.ts';

export interface ExecSession {
  readonly task: Task;
  /** The task's own process, as it was made. */
  readonly process: ProcessSpec;
  readonly uid: string;
  readonly spec: ExecSessionSpec;
  readonly size: TerminalSize | undefined;
  readonly client: SessionClient;
  readonly recorder: SessionRecorder | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** SIGHUP: what a program gets whose terminal goes away. */
const hangUp = 1;
/** How long a program may take to leave by itself whose client has gone. */
const leaveMs = 1000;

/**
 * Runs a program with its streams to the client. It ends with its session, whichever of them ends first: nothing that nobody
 * sees is left in the task. Throws SessionRefusedError when it cannot be started.
 */
export async function runExecSession(session: ExecSession): Promise<SessionOutcome> {
  const { client, recorder, spec, signal, size } = session;
  const exec = await start(session);
  try {
    await using attachment = await exec.attach();
    if (spec.tty && size) await exec.resize(size);
    await client.send({ kind: 'started', terminal: spec.tty, recorded: recorder !== undefined });
    const exit = await converse({
      ...{ process: exec, attachment, client, recorder, signal },
      stdin: spec.stdin,
      signals: true,
    });
    if (!exit) return gone(signal);
    await client.send({ kind: 'exit', status: exit.status, reason: exit.reason }).catch(() => {}); // it has just left
    return ended(exit.status, exit.reason);
  } finally {
    await end(session, exec);
  }
}

async function start(session: ExecSession): Promise<ExecProcess> {
  const { task, uid, spec } = session;
  let exec: ExecProcess | undefined;
  try {
    const io = { kind: 'log', terminal: spec.tty, stdin: spec.stdin, stdinOnce: true } as const;
    exec = await task.exec(parseExecId(execIdOf(uid)), { process: processOf(session), io });
    await exec.start();
    return exec;
  } catch (error) {
    await exec?.delete().catch(() => {});
    const message = `its program cannot be started: ${errorMessage(error)}`;
    throw new SessionRefusedError(errorCode(error), 'StartFailed', message, error);
  }
}

function processOf({ process, spec, uid, size }: ExecSession): ProcessSpec {
  const plain = execProcessSpec(process, spec, uid);
  if (!spec.tty) return plain;
  const env = plain.env ?? [];
  const term = spec.env?.some(({ name }) => name === 'TERM') ? [] : ['TERM=xterm'];
  const kept = term.length > 0 ? env.filter((line) => !line.startsWith('TERM=')) : env;
  return { ...plain, terminal: true, env: [...kept, ...term], ...(size ? { consoleSize: size } : {}) };
}

function ended(exitStatus: number, reason: string): SessionOutcome {
  if (reason === 'Lost') {
    const message = 'its end was not seen: the task ended, or its monitor was killed';
    return { state: 'Unknown', reason: 'Lost', message };
  }
  const message = `its program ended with ${exitStatus}`;
  return exitStatus === 0
    ? { state: 'Succeeded', reason: 'Completed', message, exitStatus }
    : { state: 'Failed', reason: 'NonZeroExit', message, exitStatus };
}

function gone({ reason }: AbortSignal): SessionOutcome {
  const why = reason instanceof SessionRefusedError ? reason.reason : 'ClientGone';
  return { state: 'Failed', reason: why, message: `${errorMessage(reason)}; its program was ended` };
}

/** Asks it to leave, then ends it with all that it has started. */
async function end({ task, uid, clock }: ExecSession, exec: ExecProcess): Promise<void> {
  if (exec.live && !exec.exit) {
    await exec.kill(hangUp).catch(() => {}); // it has just ended
    await Promise.race([exec.wait().catch(() => {}), clock.sleep(leaveMs)]);
  }
  await endLeftExec(task, uid, clock);
}
