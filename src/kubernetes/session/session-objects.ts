import type { Clock } from '#async/clock.ts';
import type { TaskGroup } from '#async/task-group.ts';
import { errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { isMissing } from '../client/kubernetes-error.ts';
import { readObject, type KubeObject } from '../client/object.ts';
import { ObjectWriter } from '../cluster/object-writer.ts';
import { objectPath } from '../cluster/resource.ts';
import { StatusWriter } from '../cluster/status-writer.ts';
import { objectKey, type ObjectIdentity } from '../reconcile/source.ts';
import type { SessionJournal } from './journal.ts';
import type { SessionRecord } from './record.ts';
import { sessionResources } from './resources.ts';
import { sessionKinds, type SessionKind } from './schema.ts';
import { sessionStatus } from './status.ts';

export interface SessionObjectsOptions {
  readonly client: KubernetesClient;
  readonly journal: SessionJournal;
  readonly background: TaskGroup;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the agent leaves. */
  readonly signal: AbortSignal;
}

/** An object with the server's own time when it was read, wall clock. */
export interface Found {
  readonly object: KubeObject;
  readonly serverNowMs: number;
}

interface Writers {
  readonly statuses: StatusWriter;
  readonly objects: ObjectWriter;
}

/** How long to wait with what the API server did not answer. */
const againMs = 30_000;

/** The objects of this node's sessions: read when somebody comes for one, told of how it went, deleted when its time is over. */
export class SessionObjects implements AsyncDisposable {
  readonly #options: SessionObjectsOptions;
  readonly #writers: ReadonlyMap<SessionKind, Writers>;
  /** UID → the object as it was read. */
  readonly #known = new Map<string, KubeObject>();
  readonly #timers = new Set<() => void>();

  constructor(options: SessionObjectsOptions) {
    this.#options = options;
    const { client, clock, log } = options;
    const known = ({ uid }: ObjectIdentity) => this.#known.get(uid);
    this.#writers = new Map(
      sessionKinds.map((kind) => {
        const parts = { client, resource: sessionResources[kind], clock, known };
        const objects = new ObjectWriter({ ...parts, known: () => undefined });
        return [kind, { statuses: new StatusWriter({ ...parts, log }), objects }];
      }),
    );
  }

  /** Reads one; undefined where there is none of this UID. Throws what the client throws. */
  async find(kind: SessionKind, wanted: ObjectIdentity, signal: AbortSignal): Promise<Found | undefined> {
    try {
      const { value, serverNowMs } = await this.#options.client.getTimed(objectPath(sessionResources[kind], wanted), {
        signal,
      });
      const object = readObject(value);
      return object.metadata.uid === wanted.uid ? { object, serverNowMs } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Tells how far a session has come, beside whatever else goes on. An end begins the time until the object is deleted. */
  tell(record: SessionRecord, object?: KubeObject): void {
    if (object) this.#known.set(record.uid, object);
    this.#writers.get(record.kind)?.statuses.write(record, sessionStatus(record), { urgent: true });
    if (record.outcome) this.#expireLater(record, record.outcome.finishedAtMs);
  }

  /** Tells of what a former agent may not have told, and forgets what is gone; again and again until the server has answered. */
  recall(record: SessionRecord): void {
    this.#inBackground(async () => {
      const found = await this.find(record.kind, record, this.#options.signal);
      if (found) this.tell(record, found.object);
      else await this.#forget(record);
    }, record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cancel of this.#timers) cancel();
    await Promise.all([...this.#writers.values()].map(({ statuses }) => statuses[Symbol.asyncDispose]()));
  }

  #expireLater(record: SessionRecord, finishedAtMs: number): void {
    this.#later(finishedAtMs + record.ttlSeconds * 1000 - this.#options.clock.nowMs(), () =>
      this.#inBackground(async () => {
        await this.#writers.get(record.kind)?.objects.delete(record);
        await this.#forget(record);
      }, record),
    );
  }

  async #forget(record: SessionRecord): Promise<void> {
    this.#writers.get(record.kind)?.statuses.forget(objectKey(record));
    this.#known.delete(record.uid);
    await this.#options.journal.forget(record.uid);
  }

  /** Does something that may fail because nobody answers, until it has been done. */
  #inBackground(work: () => Promise<void>, whose: SessionRecord): void {
    const { background, log, signal } = this.#options;
    if (signal.aborted) return;
    background.spawn(async () => {
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        log.debug(
          { session: objectKey(whose), reason: errorMessage(error) },
          'a session’s object waits for the API server',
        );
        this.#later(againMs, () => this.#inBackground(work, whose));
      }
    });
  }

  #later(ms: number, call: () => void): void {
    const cancel = this.#options.clock.after(Math.max(0, ms), () => {
      this.#timers.delete(cancel);
      call();
    });
    this.#timers.add(cancel);
  }
}
