import { retry, type BackoffPolicy } from '#async/backoff.ts';
import type { Clock } from '#async/clock.ts';
import { UnavailableError, type RunletError } from '#errors/errors.ts';
import type { KubernetesClient, PatchStep } from '../client/client.ts';
import { isMissing, KubernetesError } from '../client/kubernetes-error.ts';
import { readObject, type KubeObject } from '../client/object.ts';
import { apiVersion } from '../node-task/fields.ts';
import { cleanupFinalizer } from '../node-task/schema.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';
import { nodeTasks, objectPath, type Resource } from './resource.ts';

export interface ObjectWriterOptions {
  readonly client: KubernetesClient;
  readonly resource: Resource;
  readonly clock: Clock;
  /** The object as it was last heard of. */
  readonly known: (object: ObjectIdentity) => KubeObject | undefined;
}

/** Somebody else may write between our look and our patch, again and again. */
const retryPolicy: BackoffPolicy = { firstMs: 50, factor: 2, capMs: 1000, jitter: 0.5 };
const attempts = 6;

/** The little that an agent changes of an object beside its status: its own finalizer, and its end. Never a namesake's. */
export class ObjectWriter {
  readonly #options: ObjectWriterOptions;

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
  }

  /**
   * Puts the finalizer on; returns the version that this made, if it had not been on. Throws UnavailableError, also when the
   * object is gone or is going: then it must not be used.
   */
  async claim(object: ObjectIdentity): Promise<string | undefined> {
    return await this.#change(object, (found) => {
      if (!found || found.metadata.deletionTimestamp !== undefined) {
        const { kind } = this.#options.resource;
        throw new UnavailableError(`${kind} ${object.namespace}/${object.name} is gone: nothing is made of it`);
      }
      const finalizers = finalizersOf(found);
      if (finalizers.includes(cleanupFinalizer)) return undefined;
      return finalizers.length === 0
        ? { op: 'add', path: '/metadata/finalizers', value: [cleanupFinalizer] }
        : { op: 'add', path: '/metadata/finalizers/-', value: cleanupFinalizer };
    });
  }

  /** Takes it off. An object that is gone is let go already. Throws UnavailableError. */
  async release(object: ObjectIdentity): Promise<void> {
    await this.#change(object, (found) => {
      const index = found ? finalizersOf(found).indexOf(cleanupFinalizer) : -1;
      return index < 0 ? undefined : { op: 'remove', path: `/metadata/finalizers/${index}` };
    });
  }

  /** Makes it go with a NodeTask of its namespace. An object that is gone needs no owner. Throws UnavailableError. */
  async own(object: ObjectIdentity, owner: Pick<ObjectIdentity, 'name' | 'uid'>): Promise<void> {
    const reference = { apiVersion, kind: nodeTasks.kind, name: owner.name, uid: owner.uid };
    await this.#change(object, (found) => {
      const owners = found ? listOf(found, 'ownerReferences') : [];
      if (!found || owners.some((one) => isOf(one, owner.uid))) return undefined;
      return owners.length === 0
        ? { op: 'add', path: '/metadata/ownerReferences', value: [reference] }
        : { op: 'add', path: '/metadata/ownerReferences/-', value: reference };
    });
  }

  /** Deletes it if it is as it was last heard of. Throws UnavailableError when it has changed meanwhile. */
  async delete(object: ObjectIdentity): Promise<void> {
    const { client, resource } = this.#options;
    const known = this.#known(object);
    const resourceVersion = known ? { resourceVersion: known.metadata.resourceVersion } : {};
    try {
      await client.delete(objectPath(resource, object), { uid: object.uid, ...resourceVersion });
    } catch (error) {
      // 409 also when the name belongs to another object by now
      if (isMissing(error)) return;
      throw unavailable(`cannot delete ${resource.kind} ${object.namespace}/${object.name}`, error);
    }
  }

  /** Returns the version that the change made, if there was one to make. */
  async #change(
    object: ObjectIdentity,
    plan: (found: KubeObject | undefined) => PatchStep | undefined,
  ): Promise<string | undefined> {
    const { client, resource, clock } = this.#options;
    const path = objectPath(resource, object);
    return await retry(
      async (attempt) => {
        // What was heard by the watch is good for the first try, which is mostly the last one.
        const known = attempt === 1 ? this.#known(object) : undefined;
        const found = known ?? (await this.#read(path, object));
        const step = plan(found);
        if (!step || !found) return undefined;
        const { uid, resourceVersion } = found.metadata;
        const changed = await client.jsonPatch(path, [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
          step,
        ]);
        return versionOf(changed);
      },
      { clock, policy: retryPolicy, attempts, retryable: isOvertaken },
    ).catch((error: unknown) => {
      throw unavailable(`cannot change the metadata of ${resource.kind} ${object.namespace}/${object.name}`, error);
    });
  }

  #known(object: ObjectIdentity): KubeObject | undefined {
    const known = this.#options.known(object);
    return known?.metadata.uid === object.uid ? known : undefined;
  }

  async #read(path: string, object: ObjectIdentity): Promise<KubeObject | undefined> {
    try {
      const found = readObject(await this.#options.client.get(path));
      return found.metadata.uid === object.uid ? found : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** The change is made whatever the answer looks like. */
function versionOf(answer: unknown): string | undefined {
  try {
    return readObject(answer).metadata.resourceVersion;
  } catch {
    return undefined;
  }
}

/** The finalizers of an object, as they stand. */
export function finalizersOf(object: KubeObject): readonly unknown[] {
  return listOf(object, 'finalizers');
}

function listOf({ metadata }: KubeObject, field: 'finalizers' | 'ownerReferences'): readonly unknown[] {
  const list = metadata[field];
  return Array.isArray(list) ? (list as readonly unknown[]) : [];
}

function isOf(owner: unknown, uid: string): boolean {
  return typeof owner === 'object' && owner !== null && 'uid' in owner && owner.uid === uid;
}

/** A test of the patch failed (422, or 400 from old servers), another write came between (409), or the object went (404). */
function isOvertaken(error: unknown): boolean {
  return error instanceof KubernetesError && [400, 404, 409, 422].includes(error.status);
}

function unavailable(what: string, error: unknown): RunletError {
  if (error instanceof UnavailableError) return error;
  return new UnavailableError(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
