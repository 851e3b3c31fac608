import * as z from 'zod';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import type { KubernetesClient } from '../client/client.ts';
import { isMissing } from '../client/kubernetes-error.ts';
import { nodeTasks, objectPath } from '../cluster/resource.ts';
import { toTaskRef } from '../reconcile/names.ts';
import { readOwner } from '../reconcile/owner.ts';
import { objectKey, type NodeTaskSource } from '../reconcile/source.ts';
import type { Target } from './plan.ts';

export interface TargetContext {
  readonly client: KubernetesClient;
  readonly source: NodeTaskSource;
  readonly tasks: TaskManager;
  readonly nodeName: string;
}

const placedSchema = z.looseObject({ spec: z.looseObject({ nodeName: z.string() }) });

/** Looks for the NodeTask that a request names: on this node, else where it is. Throws UnavailableError. */
export async function findTarget(context: TargetContext, namespace: string, taskName: string): Promise<Target> {
  const { source, client, nodeName } = context;
  const object = source.get(objectKey({ namespace, name: taskName }));
  if (object) {
    const task = taskOf(context.tasks, { namespace, name: taskName, uid: object.uid });
    return { known: 'here', uid: object.uid, ...(task ? { phase: task.phase } : {}) };
  }
  if (!source.synced) return { known: 'not yet' };
  try {
    const found = placedSchema.safeParse(await client.get(objectPath(nodeTasks, { namespace, name: taskName })));
    const where = found.data?.spec.nodeName;
    // One of this node that the watch has not brought yet counts as not there: its coming is heard.
    return where === undefined || where === nodeName ? { known: 'absent' } : { known: 'elsewhere', nodeName: where };
  } catch (error) {
    if (isMissing(error)) return { known: 'absent' };
    throw error;
  }
}

/** The task that was made for a NodeTask of this UID. */
export function taskOf(
  tasks: TaskManager,
  object: { readonly namespace: string; readonly name: string; readonly uid: string },
): Task | undefined {
  const task = tasks.find(toTaskRef(object));
  return task && readOwner(task)?.uid === object.uid ? task : undefined;
}
