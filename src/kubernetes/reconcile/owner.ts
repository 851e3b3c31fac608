import type { Task } from '#task/task.ts';
import type { NodeTask, Resources } from '../node-task/types.ts';
import { containerHash } from './container-hash.ts';
import type { ObjectIdentity } from './source.ts';

/** What a task's record says of the object that it was made for. */
export interface TaskOwner extends ObjectIdentity {
  readonly attempt: number;
  readonly hash: string;
  readonly resources: Resources | null;
}

/** What is written into the record of a task that is made for an object; the attempt is added by its maker. */
export function toOwner(object: ObjectIdentity, task: NodeTask): Readonly<Record<string, string>> {
  return {
    uid: object.uid,
    kubeNamespace: object.namespace,
    name: object.name,
    hash: containerHash(task.spec),
    resources: JSON.stringify(task.spec.resources ?? null),
  };
}

/** Reads it back; undefined for a task that was not made for an object. */
export function readOwner(task: Task): TaskOwner | undefined {
  const { uid, kubeNamespace, name, hash = '', resources = 'null', attempt = '0' } = task.record.owner;
  if (uid === undefined || kubeNamespace === undefined || name === undefined) return undefined;
  return {
    uid,
    namespace: kubeNamespace,
    name,
    hash,
    attempt: Number(attempt),
    resources: JSON.parse(resources) as Resources | null,
  };
}
