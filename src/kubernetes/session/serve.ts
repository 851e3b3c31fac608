import type { Clock } from '#async/clock.ts';
import type { ContainerStore } from '#task/containers.ts';
import type { AnnouncedSession } from './announced.ts';
import type { SessionOutcome } from './record.ts';
import type { SessionRecorder } from './recorder.ts';
import { runAttachSession } from './run-attach.ts';
import { runExecSession } from './run-exec.ts';
import { runLogSession, runTopSession, type SessionLogs } from './run-reading.ts';
import { aliveTask, processOf, type ServedTask } from './served-task.ts';
import type { SessionClient, SessionTicket } from './stream.ts';

export interface ServeContext {
  readonly containers: ContainerStore;
  readonly logs: SessionLogs;
  readonly clock: Clock;
}

/** A session whose secret was right. */
export interface Admitted {
  readonly session: AnnouncedSession;
  readonly served: ServedTask;
  readonly ticket: SessionTicket;
  readonly client: SessionClient;
  readonly recorder: SessionRecorder | undefined;
  /** Aborts when it is to end. */
  readonly signal: AbortSignal;
}

/** Serves a session to its end. Throws SessionRefusedError when there is nothing to serve. */
export async function serve(context: ServeContext, admitted: Admitted): Promise<SessionOutcome> {
  const { session, served, ticket, client, recorder, signal } = admitted;
  const { containers, logs, clock } = context;
  const { size } = ticket;
  const { asked, uid } = session;
  switch (asked?.kind) {
    case 'NodeTaskExecSession': {
      const task = aliveTask(served);
      const process = processOf(containers, task.ref);
      return await runExecSession({
        ...{ task, process, uid, size, client, recorder, clock, signal },
        spec: asked.spec,
      });
    }
    case 'NodeTaskAttachSession':
      return await runAttachSession({
        ...{ task: aliveTask(served), size, client, recorder, signal },
        spec: asked.spec,
      });
    case 'NodeTaskLogSession':
      return await runLogSession(logs, served.ref, { choice: ticket.logs ?? { follow: false }, client, signal });
    case 'NodeTaskTopSession':
      return await runTopSession(aliveTask(served), { choice: ticket.top, client, clock, signal });
    case undefined:
      throw new TypeError('a session with a wrong specification is never served');
  }
}

/** Whether it goes both ways, so that there is something to record. */
export function isConversation({ asked }: AnnouncedSession): boolean {
  return asked?.kind === 'NodeTaskExecSession' || asked?.kind === 'NodeTaskAttachSession';
}
