import type { KubeObject } from '../client/object.ts';
import { finalizersOf } from '../cluster/object-writer.ts';
import type { Resource } from '../cluster/resource.ts';
import { nodeTasks } from '../cluster/resource.ts';
import { agentLost, cleanupFinalizer } from '../node-task/schema.ts';
import type { Verdict } from './verdict.ts';

/** What is to be done to an object whose agent does not speak for it. */
export type ControllerAction =
  | { readonly kind: 'status'; readonly status: object }
  /** Takes the finalizer off: nobody else will. */
  | { readonly kind: 'release' };

/**
 * Plans what to do to one object, by what became of its node's agent: says that nothing is known of it, ends requests whose
 * outcome nobody will tell, and lets objects go that are being deleted on a node that is gone. Nothing is planned twice: what
 * is said already is not said again. Pure.
 */
export function planObject(
  resource: Resource,
  object: KubeObject,
  verdict: Verdict,
  nowIso: string,
): readonly ControllerAction[] {
  if (verdict.kind === 'served' || verdict.kind === 'waiting') return [];
  if (verdict.kind === 'gone' && object.metadata.deletionTimestamp !== undefined) {
    return finalizersOf(object).includes(cleanupFinalizer) ? [{ kind: 'release' }] : [];
  }
  const status =
    resource.kind === nodeTasks.kind
      ? lostTask(object, verdict.message, nowIso)
      : lostRequest(object, verdict.message, nowIso);
  return status ? [{ kind: 'status', status }] : [];
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

const reason = agentLost;

/** `Ready` of a task of which nobody knows. What else its status says is the last that was heard, and stays. */
function lostTask(object: KubeObject, message: string, nowIso: string): object | undefined {
  if (hasCondition(object, { type: 'Ready', status: 'Unknown', reason })) return undefined;
  return { conditions: [condition(object, 'Ready', 'Unknown', { message, nowIso })] };
}

/** A request that was not finished: its outcome is unknown and stays so, because it is never tried again. */
function lostRequest(object: KubeObject, message: string, nowIso: string): object | undefined {
  if (conditionsOf(object).some(({ type, status }) => type === 'Finished' && status === 'True')) return undefined;
  return {
    state: 'Unknown',
    reason,
    message,
    finishedAt: nowIso,
    conditions: [
      condition(object, 'Finished', 'True', { message, nowIso }),
      condition(object, 'Succeeded', 'Unknown', { message, nowIso }),
    ],
  };
}

function condition(
  { metadata }: KubeObject,
  type: string,
  status: 'True' | 'Unknown',
  { message, nowIso }: { readonly message: string; readonly nowIso: string },
): object {
  const { generation } = metadata;
  return {
    ...{ type, status, reason, message, lastTransitionTime: nowIso },
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

function hasCondition(object: KubeObject, wanted: Condition): boolean {
  return conditionsOf(object).some(
    (each) => each.type === wanted.type && each.status === wanted.status && each.reason === wanted.reason,
  );
}

function conditionsOf(object: KubeObject): readonly Condition[] {
  const { conditions } = (object['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
  return Array.isArray(conditions) ? conditions : [];
}
