import type { Exit } from '#task/runtime.ts';
import type { ObjectRecord } from './record.ts';
import type { ObjectEvent } from './source.ts';

/** What is told when a process has ended: how, and what follows. */
export function endEvents(before: ObjectRecord, after: ObjectRecord, exit: Exit): readonly ObjectEvent[] {
  const events: ObjectEvent[] = [ending(exit, before.stop !== undefined)];
  if (after.outcome?.kind === 'DeadlineExceeded') {
    events.push({
      type: 'Warning',
      reason: 'DeadlineExceeded',
      note: 'It was stopped: spec.activeDeadlineSeconds have passed',
    });
  }
  if (before.stop?.why === 'Replaced') {
    events.push({ type: 'Normal', reason: 'Replaced', note: 'Making it anew from the changed spec' });
  }
  if (before.stop?.why === 'Restarted') {
    events.push({ type: 'Normal', reason: 'Restarted', note: 'Restarting it in place' });
  }
  const { backOff } = after;
  if (backOff && backOff.delayMs > 0) {
    const seconds = backOff.delayMs / 1000;
    events.push({ type: 'Warning', reason: 'BackOff', note: `Waiting ${seconds} s before it is started again` });
  }
  return events;
}

/** What the agent itself ended did nothing wrong. */
function ending(exit: Exit, wanted: boolean): ObjectEvent {
  switch (exit.reason) {
    case 'Lost':
      return { type: 'Warning', reason: 'Lost', note: 'Nobody saw its end: it counts as exit status 255' };
    case 'OOMKilled':
      return { type: 'Warning', reason: 'OOMKilled', note: 'The kernel killed it for want of memory' };
    case 'Checkpointed':
      return { type: 'Normal', reason: 'Exited', note: 'It ended with its checkpoint' };
    case 'Exited':
      return {
        type: exit.status === 0 || wanted ? 'Normal' : 'Warning',
        reason: 'Exited',
        note: `It ended with exit status ${exit.status}`,
      };
  }
}
