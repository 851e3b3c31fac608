import { isAlive, planStop } from './plan-stop.ts';
import type { ObjectRecord } from './record.ts';
import type { LiveTask, Plan } from './view.ts';

/** What there is on the node of an object that is gone, is being deleted, or was another of the same name. */
export interface RemovalView {
  readonly nowMs: number;
  readonly live?: LiveTask;
  readonly record?: ObjectRecord;
  readonly making: boolean;
}

/** How to end a process of which nothing is remembered: TERM, as long as a Pod has. */
export const usualStopping = { signal: 15, graceSeconds: 30 } as const;

/** What to do next so that nothing of an object is left: its process ends gracefully, then all goes. Pure. */
export function planRemoval({ live, record, making, nowMs }: RemovalView): Plan {
  if (making) return { action: { do: 'cancelMaking' } };
  if (record && isAlive(live)) return planStop(live, record, { why: 'Deleted', nowMs });
  return { action: { do: 'remove' } };
}
