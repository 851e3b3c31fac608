import { TaskGroup } from '#async/task-group.ts';
import type { Clock } from '#async/clock.ts';
import { errorCode, NotFoundError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { KubernetesError } from '../client/kubernetes-error.ts';
import { readObject, type KubeObject } from '../client/object.ts';
import { apiVersion } from '../node-task/fields.ts';
import { objectKey, type ObjectIdentity, type ObjectKey } from '../reconcile/source.ts';
import { WorkQueue } from '../reconcile/work-queue.ts';
import { canonical } from './canonical.ts';
import { objectPath, type Resource } from './resource.ts';
import { missingFields, undeclaredFields, withoutField } from './undeclared.ts';

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

/** No object's status is written more often, urgent ones aside. */
const intervalMs = 1000;
/** How long the first one waits: of an object that is being made a better one is near, and both would be a write too many. */
const firstMs = 2000;
/** How many are written at once: a node's return to its cluster is no flood. */
const workers = 4;

/** The version that a write made, and the one that had been heard of by then. */
export interface Version {
  readonly made: string;
  readonly heard: string | undefined;
}

interface Pending {
  readonly object: ObjectIdentity;
  wanted: unknown;
  /** What the server is known to have, canonical. */
  written: string | undefined;
  /** Until then only what is urgent is written. */
  nextMs: number;
  version?: Version;
  /** The server refused the version that was known: it is to be asked. */
  overtaken?: boolean;
  /** Somebody else has written since the last write began. */
  contradicted?: boolean;
}

/**
 * Writes the newest status of each object by server-side apply, when it has changed, in its own time and until it has
 * worked. An object of the same name with another UID is never written: for custom resources a server looks at no UID in
 * what is applied to /status, but it refuses a version that is not the object's, and a version belongs to one object.
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

  /** Returns at once. `urgent` goes before the interval, and before the wait of an object's first status. */
  write(object: ObjectIdentity, status: unknown, { urgent }: { readonly urgent: boolean }): void {
    const key = objectKey(object);
    const nowMs = this.#options.clock.monotonicMs();
    const pending = this.#pendingOf(key, object, nowMs);
    pending.wanted = status;
    this.#queueIn(key, urgent ? 0 : pending.nextMs - nowMs);
  }

  /** The agent has changed the object in another way: who waits for the watch to tell of it writes by an old version. */
  changed(object: ObjectIdentity, version: Version): void {
    // What has been heard meanwhile is this version or a newer one.
    if (version.heard !== this.#heard(object)) return;
    this.#pendingOf(objectKey(object), object, this.#options.clock.monotonicMs()).version = version;
  }

  /** Somebody else has written over the status of the object, as was heard: what was said last is written once more, in its time. */
  contradicted(object: ObjectIdentity): void {
    const key = objectKey(object);
    const pending = this.#pending.get(key);
    if (pending?.object.uid !== object.uid || pending.wanted === undefined) return;
    pending.written = undefined;
    pending.contradicted = true;
    this.#queueIn(key, pending.nextMs - this.#options.clock.monotonicMs());
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

  #queueIn(key: string, waitMs: number): void {
    if (waitMs > 0) this.#queue.addAfter(key, waitMs);
    else this.#queue.add(key);
  }

  #pendingOf(key: ObjectKey, object: ObjectIdentity, nowMs: number): Pending {
    const there = this.#pending.get(key);
    if (there?.object.uid === object.uid) return there;
    const pending: Pending = { object, wanted: undefined, written: this.#known(object), nextMs: nowMs + firstMs };
    this.#pending.set(key, pending);
    return pending;
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
    pending.contradicted = false;
    try {
      const object = await this.#apply(pending, status);
      pending.written = isContradicted(pending) ? undefined : text;
      pending.nextMs = this.#options.clock.monotonicMs() + intervalMs;
      this.#queue.succeeded(key);
      this.#note(missingFields(status, object['status'], 'status'));
    } catch (error) {
      this.#failed(key, pending, error);
    }
  }

  async #apply(pending: Pending, status: unknown): Promise<KubeObject> {
    const { client, resource } = this.#options;
    const { object } = pending;
    const { namespace, name, uid } = object;
    const heard = this.#heard(object);
    const resourceVersion = await this.#version(pending, heard);
    const body = { apiVersion, kind: resource.kind, metadata: { namespace, name, uid, resourceVersion }, status };
    const path = objectPath(resource, object, 'status');
    const written = readObject(await client.apply(path, body, { fieldManager, signal: this.#abort.signal }));
    pending.version = { made: written.metadata.resourceVersion, heard };
    pending.overtaken = false;
    return written;
  }

  /** The newest version that is known: what was heard since the last write, else what that write made, else what is asked for. */
  async #version({ object, version, overtaken }: Pending, heard: string | undefined): Promise<string> {
    if (!overtaken && version && heard === version.heard) return version.made;
    if (!overtaken && heard !== undefined) return heard;
    const { client, resource } = this.#options;
    const found = readObject(await client.get(objectPath(resource, object), { signal: this.#abort.signal }));
    if (found.metadata.uid !== object.uid) throw new NotFoundError(`${object.name} is another object by now`);
    return found.metadata.resourceVersion;
  }

  #heard(object: ObjectIdentity): string | undefined {
    const known = this.#options.known(object);
    return known?.metadata.uid === object.uid ? known.metadata.resourceVersion : undefined;
  }

  #failed(key: string, pending: Pending, error: unknown): void {
    const { log } = this.#options;
    if (this.#abort.signal.aborted) return;
    if (errorCode(error) === 'not-found') {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
      return;
    }
    const undeclared = undeclaredFields(error);
    if (this.#note(undeclared)) {
      this.#queue.add(key);
      return;
    }
    // Somebody else wrote in between: ask for the version, and whether it is still the same object.
    if (error instanceof KubernetesError && error.status === 409) pending.overtaken = true;
    const retryMs = Math.round(this.#queue.retry(key));
    // What a server refuses for good is ours to mend; what it could not do now passes.
    const level = error instanceof KubernetesError && error.status === 422 ? 'warn' : 'debug';
    log[level]({ object: key, err: error, retryMs }, 'cannot write a status; trying again');
  }

  /** Takes fields into account that the server's CRD lacks. Whether there was a new one. */
  #note(fields: readonly string[]): boolean {
    const { log, resource } = this.#options;
    const news = fields.filter((field) => !this.#undeclared.has(field));
    if (news.length === 0) return false;
    for (const field of news) this.#undeclared.add(field);
    log.warn(
      { kind: resource.kind, fields: news },
      'the CRD in the cluster is older than this agent: fields of status are left out',
    );
    return true;
  }

  #declared(status: unknown): unknown {
    return [...this.#undeclared].reduce(
      (left, path) => (path.startsWith('status.') ? withoutField(left, path.slice('status.'.length)) : left),
      status,
    );
  }
}

/** It may have become so while its status was being written. */
function isContradicted({ contradicted }: Pending): boolean {
  return contradicted === true;
}
