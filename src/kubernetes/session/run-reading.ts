import type { Clock } from '#async/clock.ts';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { TaskRef } from '#task/ids.ts';
import type { Task } from '#task/task.ts';
import { SessionRefusedError, type SessionOutcome } from './record.ts';
import type { LogChoice, LogLine, SessionClient, SessionTicket } from './stream.ts';

/** The logs of tasks; with `follow` a reading goes on until the task has ended. */
export interface SessionLogs {
  read(ref: TaskRef, options: LogChoice & { readonly signal: AbortSignal }): AsyncIterable<LogLine>;
}

const left: SessionOutcome = { state: 'Succeeded', reason: 'Detached', message: 'the client has left' };

/** Sends the lines of a task's log. Throws SessionRefusedError where there is none. */
export async function runLogSession(
  logs: SessionLogs,
  ref: TaskRef,
  session: { readonly choice: LogChoice; readonly client: SessionClient; readonly signal: AbortSignal },
): Promise<SessionOutcome> {
  const { choice, client, signal } = session;
  try {
    await client.send({ kind: 'started', terminal: false, recorded: false });
    for await (const line of logs.read(ref, { ...choice, signal })) await client.send({ kind: 'log', line });
  } catch (error) {
    if (signal.aborted) return ended(signal);
    throw new SessionRefusedError(errorCode(error), 'NoLog', errorMessage(error), error);
  }
  return signal.aborted ? ended(signal) : { state: 'Succeeded', reason: 'Completed', message: 'all lines were sent' };
}

const defaultTop = { intervalMs: 500, readings: 2 };
/** Nobody reads numbers faster. */
const leastIntervalMs = 100;

/** Sends what a task uses, again and again. */
export async function runTopSession(
  task: Task,
  session: {
    readonly choice: SessionTicket['top'];
    readonly client: SessionClient;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<SessionOutcome> {
  const { choice = defaultTop, client, clock, signal } = session;
  await client.send({ kind: 'started', terminal: false, recorded: false });
  try {
    for (let reading = 1; task.stats(); reading += 1) {
      await client.send({ kind: 'usage', task });
      if (reading === choice.readings) {
        return { state: 'Succeeded', reason: 'Completed', message: `${reading} readings were sent` };
      }
      await clock.sleep(Math.max(leastIntervalMs, choice.intervalMs), signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return ended(signal);
  }
  return { state: 'Succeeded', reason: 'Completed', message: 'the task has ended' };
}

function ended({ reason }: AbortSignal): SessionOutcome {
  if (!(reason instanceof SessionRefusedError)) return left;
  return { state: 'Failed', reason: reason.reason, message: reason.message };
}
