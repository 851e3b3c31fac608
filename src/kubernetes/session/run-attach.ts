import { errorCode, errorMessage } from '#errors/errors.ts';
import type { Task } from '#task/task.ts';
import type { AttachSessionSpec } from './announced.ts';
import { converse } from './converse.ts';
import { SessionRefusedError, type SessionOutcome } from './record.ts';
import type { SessionRecorder } from './recorder.ts';
import type { SessionClient, TerminalSize } from './stream.ts';

export interface AttachSession {
  readonly task: Task;
  readonly spec: AttachSessionSpec;
  readonly size: TerminalSize | undefined;
  readonly client: SessionClient;
  readonly recorder: SessionRecorder | undefined;
  readonly signal: AbortSignal;
}

/** Connects the client with a task's first process, until that ends or the client leaves; then the task goes on. */
export async function runAttachSession(session: AttachSession): Promise<SessionOutcome> {
  const { task, client, recorder, signal, size, spec } = session;
  await using attachment = await task.attach().catch((error: unknown) => {
    const message = `cannot attach to it: ${errorMessage(error)}`;
    throw new SessionRefusedError(errorCode(error), 'NotAttachable', message, error);
  });
  const { terminal } = task.io;
  if (terminal && size) await task.resize(size).catch(() => {}); // it has just ended
  await client.send({ kind: 'started', terminal, recorded: recorder !== undefined });
  const { stdin } = spec;
  const exit = await converse({ process: task, attachment, client, recorder, signal, stdin, signals: false });
  if (!exit) return detached(signal);
  await client.send({ kind: 'exit', status: exit.status, reason: exit.reason }).catch(() => {}); // it has just left
  const message = `the task ended with ${exit.status}`;
  return { state: 'Succeeded', reason: 'Completed', message, exitStatus: exit.status };
}

function detached({ reason }: AbortSignal): SessionOutcome {
  if (!(reason instanceof SessionRefusedError)) {
    return { state: 'Succeeded', reason: 'Detached', message: 'the client has left; the task goes on' };
  }
  return { state: 'Failed', reason: reason.reason, message: `${reason.message}; the task goes on` };
}
