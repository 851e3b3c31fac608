import { createHash, randomUUID } from 'node:crypto';
import type { Records } from '#task/records.ts';
import type { NodeTask } from '../node-task/types.ts';
import { objectKey, type ObjectKey } from '../reconcile/source.ts';
import { toTime } from '../reconcile/time.ts';
import type { ObjectUid } from './manifest-records.ts';

/** Gives objects of files what an API server gives them: a UID, and a generation that counts changes. */
export class ObjectUids {
  readonly #records: Records<ObjectUid>;
  readonly #byKey = new Map<ObjectKey, ObjectUid>();
  readonly #makeUid: () => string;

  constructor(records: Records<ObjectUid>, makeUid: () => string = randomUUID) {
    this.#records = records;
    this.#makeUid = makeUid;
  }

  async load(): Promise<void> {
    for (const record of await this.#records.load()) this.#byKey.set(record.key, record);
  }

  /** The object as a server would have it; undefined when its time is over and its file says nothing new. */
  async identify(
    task: NodeTask,
    nowMs: number,
  ): Promise<{ readonly uid: ObjectUid; readonly task: NodeTask } | undefined> {
    const key = objectKey(task.metadata);
    const before = this.#byKey.get(key);
    if (before?.expiredHash === wholeHash(task)) return undefined;
    const known = before?.expiredHash === undefined ? before : undefined;
    const specHash = hash(task.spec);
    const uid: ObjectUid = known
      ? { ...known, specHash, generation: known.generation + (known.specHash === specHash ? 0 : 1) }
      : { key, uid: this.#makeUid(), generation: 1, specHash, createdAt: toTime(nowMs) };
    if (uid.generation !== known?.generation) await this.#put(uid);
    return { uid, task: withIdentity(task, uid) };
  }

  /** Its time is over: it counts as deleted until its file says something else. */
  async expire(task: NodeTask): Promise<void> {
    const known = this.#byKey.get(objectKey(task.metadata));
    if (known) await this.#put({ ...known, expiredHash: wholeHash(task) });
  }

  /** Forgets the objects that no file names any more: one of that name is another object. */
  async keepOnly(keys: ReadonlySet<ObjectKey>): Promise<void> {
    for (const key of this.#byKey.keys()) {
      if (keys.has(key)) continue;
      this.#byKey.delete(key);
      await this.#records.remove(key);
    }
  }

  async #put(uid: ObjectUid): Promise<void> {
    await this.#records.put(uid.key, uid);
    this.#byKey.set(uid.key, uid);
  }
}

function withIdentity(task: NodeTask, { uid, generation, createdAt }: ObjectUid): NodeTask {
  return { ...task, metadata: { ...task.metadata, uid, generation, creationTimestamp: createdAt } };
}

/** Of all that a file says about an object; what the source itself adds does not count. */
function wholeHash({ metadata, spec }: NodeTask): string {
  const { annotations = {}, labels = {} } = metadata;
  return hash({ annotations, labels, spec });
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
