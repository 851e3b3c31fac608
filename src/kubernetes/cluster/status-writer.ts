import { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { isMissing, KubernetesError } from '../client/kubernetes-error.ts';
import type { KubeObject } from '../client/object.ts';
import { apiVersion } from '../node-task/fields.ts';
import { objectKey, type ObjectIdentity, type ObjectKey } from '../reconcile/source.ts';
import { WorkQueue } from '../reconcile/work-queue.ts';
import { canonical } from './canonical.ts';
import { objectPath, type Resource } from './resource.ts';
import { undeclaredFields, withoutField } from './undeclared.ts';

export interface StatusWriterOptions {
  readonly client: KubernetesClient;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly log: Log;
  /** The object as it was last heard of: a status that stands there already is not written. */
  readonly known: (object: ObjectIdentity) => KubeObject | undefined;
}

/** Who owns the fields of status, as `kubectl get --show-managed-fields` shows it. */
export const fieldManager = 'runlet-agent';

/** No object's status is written more often, ends aside. */
const intervalMs = 1000;
/** How many are written at once: a node's return to its cluster is no flood. */
const workers = 4;

interface Pending {
  readonly object: ObjectIdentity;
  wanted: unknown;
  /** What the server is known to have, canonical. */
  written: string | undefined;
  writtenAtMs: number;
}

/**
 * Writes the newest status of each object by server-side apply, when it has changed, in its own time and until it has
 * worked. An object of the same name with another UID is never written: the server compares.
 */
export class StatusWriter implements AsyncDisposable {
  readonly #options: StatusWriterOptions;
  readonly #queue: WorkQueue;
  readonly #pending = new Map<string, Pending>();
  readonly #undeclared = new Set<string>();
  readonly #abort = new AbortController();
  readonly #workers: TaskGroup;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ clock: options.clock });
    this.#workers = new TaskGroup((error) => options.log.error({ err: error }, 'a status writer failed'));
    for (let n = 0; n < workers; n += 1) this.#workers.spawn(() => this.#work());
  }

  /** Fields that the server's CRD lacks, such as `status.lastTermination.oomKills`; they are left out. */
  get undeclared(): readonly string[] {
    return [...this.#undeclared];
  }

  /** How many statuses are still to be written. */
  get waiting(): number {
    return [...this.#pending.values()].filter((one) => one.written !== canonical(this.#declared(one.wanted))).length;
  }

  /** Returns at once. `urgent` goes before the interval. */
  write(object: ObjectIdentity, status: unknown, { urgent }: { readonly urgent: boolean }): void {
    const key = objectKey(object);
    const there = this.#pending.get(key);
    if (there?.object.uid === object.uid) there.wanted = status;
    else this.#pending.set(key, { object, wanted: status, written: this.#known(object), writtenAtMs: -Infinity });
    const waitMs = urgent || !there ? 0 : there.writtenAtMs + intervalMs - this.#options.clock.monotonicMs();
    if (waitMs > 0) this.#queue.addAfter(key, waitMs);
    else this.#queue.add(key);
  }

  /** The object of this name is gone: nothing is written any more. */
  forget(key: ObjectKey): void {
    this.#pending.delete(key);
  }

  /** Gives up what has not been written; the next agent looks for itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue[Symbol.dispose]();
    this.#abort.abort(new Error('the agent is stopping'));
    await this.#workers[Symbol.asyncDispose]();
  }

  #known(object: ObjectIdentity): string | undefined {
    const known = this.#options.known(object);
    if (known?.metadata.uid !== object.uid || known['status'] === undefined) return undefined;
    return canonical(known['status']);
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#writeOne(key);
      this.#queue.done(key);
    }
  }

  async #writeOne(key: string): Promise<void> {
    const pending = this.#pending.get(key);
    if (!pending) return;
    const status = this.#declared(pending.wanted);
    const text = canonical(status);
    if (pending.written === text) return;
    try {
      await this.#apply(pending.object, status);
      pending.written = text;
      pending.writtenAtMs = this.#options.clock.monotonicMs();
      this.#queue.succeeded(key);
    } catch (error) {
      this.#failed(key, pending, error);
    }
  }

  async #apply(object: ObjectIdentity, status: unknown): Promise<void> {
    const { client, resource } = this.#options;
    const { namespace, name, uid } = object;
    const body = { apiVersion, kind: resource.kind, metadata: { namespace, name, uid }, status };
    await client.apply(objectPath(resource, object, 'status'), body, { fieldManager, signal: this.#abort.signal });
  }

  #failed(key: string, pending: Pending, error: unknown): void {
    const { log, resource } = this.#options;
    const { object } = pending;
    if (this.#abort.signal.aborted) return;
    if (isMissing(error) || isNamesake(error)) {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
      return;
    }
    const news = undeclaredFields(error).filter((field) => !this.#undeclared.has(field));
    if (news.length > 0) {
      for (const field of news) this.#undeclared.add(field);
      log.warn(
        { kind: resource.kind, fields: news },
        'the CRD in the cluster is older than this agent: fields of status are left out',
      );
      this.#queue.add(key);
      return;
    }
    const retryMs = Math.round(this.#queue.retry(key));
    log.debug(
      { object: `${object.namespace}/${object.name}`, err: error, retryMs },
      'cannot write a status; trying again',
    );
  }

  #declared(status: unknown): unknown {
    return [...this.#undeclared].reduce(
      (left, path) => (path.startsWith('status.') ? withoutField(left, path.slice('status.'.length)) : left),
      status,
    );
  }
}

/** The name belongs to another object by now: the server compares the UID of what is applied with its own. */
function isNamesake(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 409 && /uid/i.test(error.said);
}
