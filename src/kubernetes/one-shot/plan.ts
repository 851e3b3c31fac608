import type { Phase } from '#task/state.ts';
import { problemText } from '../node-task/problem.ts';
import { failed, unknown, type OneShotRecord, type Outcome } from './record.ts';
import { finishedState, type Asked, type OneShotRequest } from './request.ts';

/** The NodeTask that a request names, as far as it is known here. */
export type Target =
  /** The cluster has not been heard yet. */
  | { readonly known: 'not yet' }
  | { readonly known: 'absent' }
  /** It belongs to another node. */
  | { readonly known: 'elsewhere'; readonly nodeName: string }
  /** `phase`: of its task; absent without one. */
  | { readonly known: 'here'; readonly uid: string; readonly phase?: Phase };

/** All that a decision rests on. */
export interface OneShotView {
  readonly request: OneShotRequest;
  readonly record?: OneShotRecord;
  readonly target: Target;
  readonly nowMs: number;
  /** When this agent saw the object first, wall clock. */
  readonly seenAtMs: number;
}

/** What is to be done about a request now. */
export type OneShotPlan =
  /** It is being deleted: what it holds goes, then the finalizer. */
  | { readonly do: 'release' }
  | { readonly do: 'wait'; readonly reason: string; readonly message: string; readonly againAfterMs?: number }
  | { readonly do: 'begin'; readonly asked: Asked; readonly taskUID: string }
  /** It ends without being done. */
  | { readonly do: 'conclude'; readonly outcome: Outcome }
  /** It has ended: that is to be told. */
  | { readonly do: 'tell'; readonly againAfterMs?: number }
  /** Its time after the end is over. */
  | { readonly do: 'expire' };

/** Clocks of a node and of its API server differ by this much at most, seconds and the way of a message included. */
const skewMs = 60_000;

/** Decides what to do about a request. Pure. What has once begun is never begun again. */
export function planOneShot(view: OneShotView): OneShotPlan {
  const { request, record } = view;
  if (request.deleting) return { do: 'release' };
  const finishedAtMs = record?.outcome?.finishedAtMs ?? (record ? undefined : finishedBefore(request));
  if (finishedAtMs !== undefined) return planFinished(view, finishedAtMs);
  if (record?.begunAtMs !== undefined || request.reported.state === 'Running') {
    return conclude(unknown('the agent ended while it was under way: look at the task itself; it is not tried again'));
  }
  const { asked, problems } = request;
  if (!asked) return conclude(failed('InvalidSpec', problems.map(problemText).join('; ')));
  if (view.seenAtMs > request.createdAtMs + asked.spec.startDeadlineSeconds * 1000 + skewMs) {
    return conclude(failed('StartDeadlineExceeded', 'the node saw it only after spec.startDeadlineSeconds'));
  }
  return planTarget(view, asked);
}

function finishedBefore(request: OneShotRequest): number | undefined {
  return finishedState(request) && (request.reported.finishedAtMs ?? 0);
}

function planFinished({ request, nowMs }: OneShotView, finishedAtMs: number): OneShotPlan {
  if (request.ttlSeconds === undefined) return { do: 'tell' };
  const leftMs = finishedAtMs + request.ttlSeconds * 1000 - nowMs;
  return leftMs <= 0 ? { do: 'expire' } : { do: 'tell', againAfterMs: leftMs };
}

function planTarget(view: OneShotView, asked: Asked): OneShotPlan {
  const { target } = view;
  const { taskName, taskUID } = asked.spec;
  switch (target.known) {
    case 'not yet':
      return { do: 'wait', reason: 'Pending', message: 'the NodeTasks of this node are not known yet' };
    case 'elsewhere':
      return conclude(failed('NodeMismatch', `NodeTask ${taskName} is on node ${target.nodeName}: name that node`));
    case 'absent':
      return waitFor(view, asked, 'TaskNotFound', `there is no NodeTask ${taskName} in this namespace`);
    case 'here':
      if (taskUID !== undefined && taskUID !== target.uid) {
        const message = `NodeTask ${taskName} is another one than spec.taskUID says, with UID ${target.uid}`;
        return conclude(failed('TaskNotFound', message));
      }
      if (ready(asked, target.phase)) return { do: 'begin', asked, taskUID: target.uid };
      return waitFor(view, asked, 'TaskNotRunning', notRunning(taskName, target.phase));
  }
}

function notRunning(taskName: string, phase: Phase | undefined): string {
  return `the task of NodeTask ${taskName} ${phase === undefined ? 'is not there' : `is ${phase}`}`;
}

/** Whether the act is possible now. */
function ready({ kind }: Asked, phase: Phase | undefined): boolean {
  if (phase === 'running') return true;
  if (kind === 'NodeTaskSignal') return phase === 'paused' || phase === 'pausing';
  return kind === 'NodeTaskCheckpoint' && phase === 'paused';
}

function waitFor(
  { nowMs, seenAtMs, request }: OneShotView,
  asked: Asked,
  reason: string,
  message: string,
): OneShotPlan {
  // A signal is for the task as it is now.
  if (asked.kind === 'NodeTaskSignal') return conclude(failed(reason, message));
  const beganMs = Math.max(seenAtMs, request.createdAtMs);
  const leftMs = Math.min(beganMs, nowMs) + asked.spec.startDeadlineSeconds * 1000 - nowMs;
  if (leftMs <= 0) return conclude(failed(reason, `${message}, and spec.startDeadlineSeconds have passed`));
  return { do: 'wait', reason, message, againAfterMs: leftMs };
}

function conclude(outcome: Outcome): OneShotPlan {
  return { do: 'conclude', outcome };
}
