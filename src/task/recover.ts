import type { ExecState } from './exec-process.ts';
import { lostExit } from './exits.ts';
import type { ExecId } from './ids.ts';
import type { Exit, FoundExec, FoundTask } from './runtime.ts';
import type { ExecPhase, Phase } from './state.ts';
import type { TaskState } from './task-life.ts';

/** How a task that was found is taken on. */
export interface Adoption {
  readonly state: TaskState;
  /** Ends that nobody has been told of, in the order in which to tell them. */
  readonly untold: readonly { readonly execId?: ExecId; readonly exit: Exit }[];
}

/**
 * Plans how to take on what the runtime found. An end that a monitor put on record is a fact that needs no telling: whoever
 * cares reads the task. An end that nobody saw is told now, as 255 and Lost; so is the end of a first process while execs of
 * it still have to be waited for. Undefined for a create that was cut off: there is no task.
 */
export function planAdoption(found: FoundTask, nowMs: number): Adoption | undefined {
  if (found.phase === 'creating') return undefined;
  const exit = endOf(found, nowMs);
  const alone = found.execs.every(({ phase }) => phase === 'created' || phase === 'stopped');
  const over = found.phase === 'stopped' && alone;
  const lostExecs = found.execs
    .filter(({ phase }) => phase === 'lost')
    .map((exec) => ({ execId: exec.record.execId, exit: exec.exit ?? lostExit(nowMs) }));
  return {
    state: {
      record: found.record,
      phase: over ? 'stopped' : toLivePhase(found.phase),
      pid: found.init?.pid ?? 0,
      ...(found.startedAtMs === undefined ? {} : { startedAtMs: found.startedAtMs }),
      ...(over && exit ? { exit } : {}),
      execs: found.execs.map(toExecState),
    },
    untold: [...lostExecs, ...(exit && !over ? [{ exit }] : [])],
  };
}

function endOf(found: FoundTask, nowMs: number): Exit | undefined {
  if (found.phase !== 'stopped' && found.phase !== 'lost') return undefined;
  return found.exit ?? lostExit(nowMs);
}

/** An end that is still to be told happens to a running task. */
function toLivePhase(phase: Exclude<FoundTask['phase'], 'creating'>): Phase {
  return phase === 'lost' || phase === 'stopped' ? 'running' : phase;
}

function toExecState(exec: FoundExec): ExecState {
  const phase: ExecPhase = exec.phase === 'lost' ? 'running' : exec.phase;
  return {
    record: exec.record,
    phase,
    pid: exec.process?.pid ?? 0,
    ...(phase === 'stopped' && exec.exit ? { exit: exec.exit } : {}),
  };
}
