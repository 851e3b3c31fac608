import { restartOf } from './history.ts';
import { planStop } from './plan-stop.ts';
import { change, passedMs } from './record.ts';
import type { ObjectRecord, StopReason } from './record.ts';
import type { KnownView, LiveTask, Plan } from './view.ts';

/** How often what runs is looked at for changes that nobody tells of, such as limits that somebody else has set. */
const lookAgainMs = 10_000;

export type AliveView = KnownView & { readonly live: LiveTask };

/** What to do about a task that has a process. */
export function planAlive(view: AliveView): Plan {
  const { live, record, nowMs } = view;
  const why = record.stop?.attempt === live.attempt ? record.stop.why : stopReason(view);
  if (why) return planStop(live, acknowledge(view, why), { why, nowMs });
  const plan = planChange(view);
  return { ...plan, againAtMs: Math.min(plan.againAtMs ?? Infinity, nowMs + lookAgainMs, deadlineAtMs(view)) };
}

/** When the run's time is over; never while it stands still or has no end. */
export function deadlineAtMs({ task, record, nowMs }: KnownView): number {
  const seconds = task.spec.activeDeadlineSeconds;
  if (seconds === undefined || record.run?.sinceMs === undefined) return Infinity;
  return nowMs + Math.max(0, seconds * 1000 - passedMs(record.run, nowMs));
}

/** Whether the run's time is over, also while it stands still. */
export function deadlinePassed({ task, record, nowMs }: KnownView): boolean {
  const seconds = task.spec.activeDeadlineSeconds;
  return seconds !== undefined && record.run !== undefined && passedMs(record.run, nowMs) >= seconds * 1000;
}

function stopReason(view: AliveView): StopReason | undefined {
  const { task, live, record, hash } = view;
  if (task.spec.runState === 'Stopped') return 'Stopped';
  if (live.hash !== hash) return 'Replaced';
  const restart = restartOf(task);
  if (restart !== undefined && restart !== record.restartedAt) return 'Restarted';
  return deadlinePassed(view) ? 'DeadlineExceeded' : undefined;
}

/** A restart counts as acted on when its stop begins; so does one beside a stop for another reason. */
function acknowledge({ task, record }: AliveView, why: StopReason): ObjectRecord {
  const restart = restartOf(task);
  if (restart === undefined || restart === record.restartedAt || record.stop) return record;
  return why === 'DeadlineExceeded' ? record : change(record, { restartedAt: restart });
}

function planChange(view: AliveView): Plan {
  const resources = planResources(view);
  if (resources?.action) return resources;
  const freezing = planFreezing(view);
  const againAtMs = resources?.againAtMs;
  // It is frozen or thawed all the same.
  return againAtMs === undefined ? freezing : { ...resources, ...freezing, againAtMs };
}

function planFreezing({ task, live, object, reached }: AliveView): Plan {
  const drift = reached?.generation === object.generation && reached.attempt === live.attempt;
  const { runState } = task.spec;
  if (live.phase === 'pausing') return { hold: { reason: 'Pausing', message: 'It is being frozen.' } };
  if (runState === 'Paused' && live.phase === 'running') {
    return { action: { do: 'pause', drift }, hold: { reason: 'Pausing', message: 'It is being frozen.' } };
  }
  if (runState !== 'Paused' && live.phase === 'paused') return { action: { do: 'resume', drift } };
  if (runState === 'Created') {
    return {
      hold: {
        reason: 'AlreadyStarted',
        message: 'A task that has been started cannot become Created: set runState to Stopped first.',
        stalled: true,
      },
    };
  }
  return {};
}

function planResources({ task, live, record, nowMs }: AliveView): Plan | undefined {
  const wanted = JSON.stringify(task.spec.resources ?? null);
  const applied = record.applied?.attempt === live.attempt ? record.applied : undefined;
  const asked = JSON.stringify(applied ? applied.resources : live.resources);
  if (asked !== wanted) return { action: { do: 'update', drift: false } };
  if (applied?.problem) {
    const { reason, message, retryAtMs } = applied.problem;
    if (retryAtMs <= nowMs) return { action: { do: 'update', drift: false } };
    return { hold: { reason, message }, againAtMs: retryAtMs };
  }
  return live.limitsDiffer ? { action: { do: 'update', drift: true } } : undefined;
}
