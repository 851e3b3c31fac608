import { createHash, timingSafeEqual } from 'node:crypto';
import { TaskGroup } from '#async/task-group.ts';
import { errorCode, errorMessage, ResourceExhaustedError, RunletError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { Records } from '#task/records.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { KubeObject } from '../client/object.ts';
import { endLeftExec } from '../one-shot/run-exec.ts';
import { taskOf } from '../one-shot/target.ts';
import type { NodeTaskSource } from '../reconcile/source.ts';
import { readSession, refusalOf, type AnnouncedSession } from './announced.ts';
import { SessionJournal } from './journal.ts';
import { lifeOf, type Life } from './life.ts';
import { SessionRefusedError, type SessionOutcome, type SessionRecord } from './record.ts';
import type { Recordings, SessionRecorder } from './recorder.ts';
import { sessionKinds } from './schema.ts';
import { isConversation, serve, type ServeContext } from './serve.ts';
import { findServed, type ServedTask } from './served-task.ts';
import { SessionObjects } from './session-objects.ts';
import type { SessionClient, SessionTicket } from './stream.ts';

export interface SessionsOptions extends ServeContext {
  readonly client: KubernetesClient;
  readonly source: NodeTaskSource;
  readonly tasks: TaskManager;
  readonly nodeName: string;
  /** The journal, under `--root`. */
  readonly records: Records<SessionRecord>;
  readonly recordings: Recordings;
  readonly log: Log;
}

/** Tickets that are looked up at once: whoever shows one has not been let in yet. */
const maxLookUps = 16;
/**
 * Lets clients in that show the secret of a session which somebody was allowed to announce, each secret once, and serves them.
 * Who may announce which kind is the API server's to say; that the object is there is all that is asked here.
 */
export class Sessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #journal: SessionJournal;
  readonly #objects: SessionObjects;
  readonly #background: TaskGroup;
  readonly #stop = new AbortController();
  /** UIDs that are on their way into the journal. */
  readonly #claims = new Set<string>();
  /** What is being served. */
  readonly #open = new Set<Promise<unknown>>();
  #lookUps = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { client, clock, log } = options;
    this.#journal = new SessionJournal(options.records, clock);
    this.#background = new TaskGroup((error) => log.error({ err: error }, 'the work on a session failed'));
    const { signal } = this.#stop;
    this.#objects = new SessionObjects({
      ...{ client, clock, log, signal },
      journal: this.#journal,
      background: this.#background,
    });
  }

  /** Reads the journal and ends what a former agent left open. Once, after the tasks of the node have been recovered. */
  async start(): Promise<void> {
    const { tasks, clock } = this.#options;
    for (const record of await this.#journal.load()) {
      if (record.outcome) {
        this.#objects.recall(record);
        continue;
      }
      const task = taskOf(tasks, { ...record, name: record.taskName, uid: record.taskUID ?? '' });
      if (task && record.kind === 'NodeTaskExecSession') await endLeftExec(task, record.uid, clock);
      const message = 'the agent ended while its stream was open; a program that it had started was ended';
      this.#objects.recall(await this.#journal.conclude(record, { state: 'Unknown', reason: 'AgentStopped', message }));
    }
  }

  /** Looks at a ticket and serves its session to the end. Throws SessionRefusedError when it is refused, ResourceExhaustedError. */
  async open(ticket: SessionTicket, client: SessionClient): Promise<void> {
    const { session, object } = await this.#lookUp(ticket, client.signal);
    const serving = this.#serve(session, object, { ticket, client });
    this.#open.add(serving);
    try {
      await serving;
    } finally {
      this.#open.delete(serving);
    }
  }

  /** Ends all sessions; of programs that they have started, nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SessionRefusedError('unavailable', 'AgentStopped', 'the agent is stopping'));
    await Promise.allSettled(this.#open);
    await this.#background[Symbol.asyncDispose]();
    await this.#objects[Symbol.asyncDispose]();
  }

  async #lookUp(
    ticket: SessionTicket,
    signal: AbortSignal,
  ): Promise<{ readonly session: AnnouncedSession; readonly object: KubeObject }> {
    this.#stop.signal.throwIfAborted();
    if (this.#lookUps >= maxLookUps) throw new ResourceExhaustedError(`${maxLookUps} tickets are being looked up`);
    this.#lookUps += 1;
    try {
      const kind = sessionKinds.find((one) => one === ticket.kind);
      const found = kind && (await this.#objects.find(kind, ticket, signal));
      if (!found) throw new SessionRefusedError('not-found', 'NotFound', `there is no such session: ${named(ticket)}`);
      const session = readSession(kind, found.object);
      const { nodeName } = this.#options;
      const { serverNowMs, object } = found;
      const taken = this.#claims.has(session.uid) || this.#journal.get(session.uid) !== undefined;
      const refusal = refusalOf(session, { nodeName, taken, serverNowMs });
      if (refusal) throw await this.#refused(session, object, refusal);
      this.#claims.add(session.uid); // in the same turn as the look: nobody else has been let in
      return { session, object };
    } finally {
      this.#lookUps -= 1;
    }
  }

  /** Says in its status why it was refused, where that is the end of it. */
  async #refused(session: AnnouncedSession, object: KubeObject, refusal: SessionRefusedError): Promise<Error> {
    const { namespace, name, kind } = session;
    this.#options.log.info({ kind, namespace, name, reason: refusal.reason }, 'session refused');
    if (!['InvalidSpec', 'StartDeadlineExceeded'].includes(refusal.reason)) return refusal;
    const outcome = { state: 'Failed', reason: refusal.reason, message: refusal.message } as const;
    this.#objects.tell(await this.#journal.conclude(recordOf(session), outcome), object);
    return refusal;
  }

  async #serve(
    session: AnnouncedSession,
    object: KubeObject,
    stream: { readonly ticket: SessionTicket; readonly client: SessionClient },
  ): Promise<void> {
    const { log, clock } = this.#options;
    const { namespace, name, kind } = session;
    const begun = { ...recordOf(session), begunAtMs: clock.nowMs() };
    // On disk before the secret is looked at.
    let record = await this.#journal.put(begun).finally(() => this.#claims.delete(session.uid));
    const facts = { kind, namespace, name, task: record.taskName, requestedBy: record.requestedBy };
    const note = async (more: Partial<SessionRecord>) => {
      record = await this.#journal.put({ ...record, ...more });
      this.#objects.tell(record, object);
    };
    using life = this.#lifeOf(session, stream.client.signal);
    try {
      compareSecret(session, stream.ticket);
      const served = findServed(this.#options, session);
      log.info(facts, 'session opened');
      const outcome = await this.#converse(session, served, { ...stream, note, life });
      record = await this.#journal.conclude(record, outcome);
      log.info({ ...facts, state: outcome.state, reason: outcome.reason }, 'session ended');
    } catch (error) {
      record = await this.#journal.conclude(record, outcomeOf(error));
      log.info({ ...facts, reason: errorMessage(error) }, 'session failed');
      throw error;
    } finally {
      this.#objects.tell(record, object);
    }
    // The client is told why it was cut off.
    if (life.signal.reason instanceof SessionRefusedError) throw life.signal.reason;
  }

  async #converse(
    session: AnnouncedSession,
    served: ServedTask,
    stream: {
      readonly ticket: SessionTicket;
      readonly client: SessionClient;
      readonly note: (more: Partial<SessionRecord>) => Promise<void>;
      readonly life: Life;
    },
  ): Promise<SessionOutcome> {
    const { ticket, client, note, life } = stream;
    const recorder = await this.#record(session, ticket, life.end);
    try {
      await note({ taskUID: served.uid, ...(recorder ? { recording: recorder.path } : {}) });
      return await serve(this.#options, { session, served, ticket, client, recorder, signal: life.signal });
    } finally {
      await recorder?.close();
    }
  }

  async #record(
    session: AnnouncedSession,
    { size }: SessionTicket,
    onLost: (error: Error) => void,
  ): Promise<SessionRecorder | undefined> {
    const { asked } = session;
    if (!asked || !isConversation(session)) return undefined;
    const { spec, kind } = asked;
    try {
      return await this.#options.recordings.begin({
        ...{ kind, namespace: session.namespace, name: session.name, uid: session.uid, taskName: spec.taskName },
        ...(kind === 'NodeTaskExecSession' ? { command: asked.spec.command } : {}),
        ...(spec.requestedBy === undefined ? {} : { requestedBy: spec.requestedBy }),
        ...(size ? { size } : {}),
        onLost: (error) => onLost(notRecorded(error)),
      });
    } catch (error) {
      throw notRecorded(error);
    }
  }

  /** Until its client or its object has gone, or the agent goes. */
  #lifeOf(session: AnnouncedSession, clientSignal: AbortSignal): Life {
    return lifeOf({
      signals: [clientSignal, this.#stop.signal],
      gone: async (signal) => {
        const found = await this.#objects.find(session.kind, session, signal);
        if (found && found.object.metadata.deletionTimestamp === undefined) return undefined;
        return new SessionRefusedError('failed-precondition', 'Deleted', `the object ${session.name} was deleted`);
      },
      clock: this.#options.clock,
    });
  }
}

function named({ kind, namespace, name }: SessionTicket): string {
  return `${kind.slice(0, 64)} ${namespace.slice(0, 64)}/${name.slice(0, 256)}`;
}

function recordOf({ kind, namespace, name, uid, generation, createdAtMs, ttlSeconds, asked }: AnnouncedSession) {
  const { taskName = '', requestedBy } = asked?.spec ?? {};
  return {
    ...{ kind, namespace, name, uid, generation, createdAtMs, ttlSeconds, taskName },
    ...(requestedBy === undefined ? {} : { requestedBy }),
  };
}

/** In the same time whatever is wrong. Throws SessionRefusedError. */
function compareSecret({ asked, kind, namespace, name }: AnnouncedSession, { secret }: SessionTicket): void {
  const wanted = Buffer.from(asked?.spec.secretSHA256 ?? '', 'hex');
  const shown = createHash('sha256').update(secret).digest();
  if (wanted.length === shown.length && timingSafeEqual(wanted, shown)) return;
  const message = `the secret is not that of ${kind} ${namespace}/${name}, which is of no use any more: make another`;
  throw new SessionRefusedError('permission-denied', 'WrongSecret', message);
}

function notRecorded(error: unknown): SessionRefusedError {
  const message = `it must be recorded, and cannot be: ${errorMessage(error)}`;
  return new SessionRefusedError('failed-precondition', 'NotRecorded', message, error);
}

function outcomeOf(error: unknown): SessionOutcome {
  if (error instanceof SessionRefusedError) return { state: 'Failed', reason: error.reason, message: error.message };
  const reason = error instanceof RunletError && errorCode(error) === 'cancelled' ? 'ClientGone' : 'Error';
  return { state: 'Failed', reason, message: errorMessage(error) };
}
