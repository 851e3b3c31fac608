import { signalName } from '#oci/signal.ts';
import { change } from './record.ts';
import type { ObjectRecord, StopReason } from './record.ts';
import type { LiveTask, Plan } from './view.ts';

const killSignal = 9;
/** How long a KILL may take to be told of before it is sent again. */
const killAgainMs = 5000;

/** A task with a process. */
export type AliveTask = LiveTask & { readonly phase: 'running' | 'pausing' | 'paused' };

/** Whether a process of the task is there that has been started. */
export function isAlive(live: LiveTask | undefined): live is AliveTask {
  return live !== undefined && (live.phase === 'running' || live.phase === 'paused' || live.phase === 'pausing');
}

/** The next step of ending a process: the stop signal, the thaw, the grace period, KILL. */
export function planStop(
  live: LiveTask,
  record: ObjectRecord,
  options: { readonly why: StopReason; readonly nowMs: number },
): Plan {
  const { stop } = record;
  if (stop?.attempt !== live.attempt) return beginStop(live, record, options);
  const left = stop.killAtMs - options.nowMs;
  if (left <= 0) return { action: { do: 'kill' }, hold: stopping(stop.why), againAtMs: options.nowMs + killAgainMs };
  // The signal waits for the thaw: nothing runs between the two.
  if (live.phase === 'paused') return { action: { do: 'resume', drift: false }, hold: stopping(stop.why) };
  return { hold: stopping(stop.why), againAtMs: stop.killAtMs };
}

function beginStop(
  live: LiveTask,
  record: ObjectRecord,
  { why, nowMs }: { readonly why: StopReason; readonly nowMs: number },
): Plan {
  const { signal, graceSeconds } = record.stopping;
  const atOnce = signal === killSignal || graceSeconds === 0;
  const killAtMs = nowMs + (atOnce ? 0 : graceSeconds * 1000);
  const note = `${messages[why]}: ${signalName(atOnce ? killSignal : signal)}${atOnce ? '' : `, KILL after ${graceSeconds} s`}`;
  return {
    action: {
      do: 'signal',
      signal: atOnce ? killSignal : signal,
      record: change(record, { stop: { why, attempt: live.attempt, killAtMs } }),
      events: [{ type: 'Normal', reason: 'Stopping', note }],
    },
    hold: stopping(why),
  };
}

const messages: Readonly<Record<StopReason, string>> = {
  Stopped: 'Stopping it as spec.runState says',
  Replaced: 'Stopping it to make it anew from the changed spec',
  Restarted: 'Stopping it to restart it in place',
  DeadlineExceeded: 'Stopping it because spec.activeDeadlineSeconds have passed',
  DriftCorrected: 'Stopping it because somebody else has started it',
  Deleted: 'Stopping it because its object is gone',
};

function stopping(why: StopReason): { readonly reason: string; readonly message: string } {
  return { reason: 'Stopping', message: `${messages[why]}.` };
}
