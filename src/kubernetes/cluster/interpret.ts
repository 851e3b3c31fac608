import type { KubeObject } from '../client/object.ts';
import type { Problem } from '../node-task/problem.ts';
import type { NodeTask } from '../node-task/types.ts';
import { cleanupFinalizer } from '../node-task/schema.ts';
import { immutabilityProblems, validateNodeTask } from '../node-task/validate.ts';
import type { SourceObject } from '../reconcile/source.ts';
import { finalizersOf } from './object-writer.ts';

/** What is known of an object: as the server has it, and what the agent makes of it. */
export interface Entry {
  readonly object: KubeObject;
  readonly source: SourceObject;
  /** The version that `source.task` was read from. */
  readonly valid?: KubeObject;
}

/**
 * Reads an object. One that has turned invalid keeps the task of its last valid version, as long as it is the same object
 * and not another one of its name.
 */
export function interpret(
  object: KubeObject,
  context: { readonly nodeName: string; readonly confirmed: boolean; readonly previous?: Entry | undefined },
): Entry {
  const { metadata } = object;
  const previous = context.previous?.object.metadata.uid === metadata.uid ? context.previous : undefined;
  const { task, problems } = read(object, context.nodeName, previous?.source.task);
  const valid = task ? object : previous?.valid;
  const known = task ?? previous?.source.task;
  return {
    object,
    ...(valid ? { valid } : {}),
    source: {
      namespace: metadata.namespace ?? 'default',
      name: metadata.name,
      uid: metadata.uid,
      generation: metadata.generation ?? 0,
      problems,
      deleting: metadata.deletionTimestamp !== undefined,
      confirmed: context.confirmed,
      ...(isLetGo(object, previous) ? { letGo: true } : {}),
      ...(known ? { task: known } : {}),
    },
  };
}

/** Whether our finalizer was there, as we have heard ourselves, and is not any more. */
function isLetGo(object: KubeObject, previous: Entry | undefined): boolean {
  if (!previous?.source.confirmed || isHeld(object)) return false;
  return previous.source.letGo === true || isHeld(previous.object);
}

function isHeld(object: KubeObject): boolean {
  return finalizersOf(object).includes(cleanupFinalizer);
}

function read(
  object: KubeObject,
  nodeName: string,
  before: NodeTask | undefined,
): { readonly task?: NodeTask; readonly problems: readonly Problem[] } {
  const { task, problems } = validateNodeTask(object, { source: 'cluster', nodeName });
  if (!task) return { problems };
  const changed = before ? immutabilityProblems(before, task) : [];
  return changed.length > 0 ? { problems: changed } : { task, problems: [] };
}

/** What of an object is worth being written to disk when it changes: never its status, which is our own writing. */
export function fingerprint({ metadata }: KubeObject): string {
  const { uid, generation, deletionTimestamp, annotations } = metadata;
  return JSON.stringify([uid, generation, deletionTimestamp, annotations]);
}
