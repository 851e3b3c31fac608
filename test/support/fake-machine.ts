import { refKey, type ExecId, type TaskRef } from '#task/ids.ts';
import type { ExecRecord, Exit, FoundExec, FoundTask, ProcessIdentity, ProcessRef, TaskRecord } from '#task/runtime.ts';

/** A process of the fake machine. */
export interface FakeProcess {
  readonly ref: ProcessRef;
  readonly args: readonly string[];
  identity?: ProcessIdentity;
  /** Its end as the monitor recorded it. */
  exit?: Exit;
  /** Whether neither process nor record of its end is left. */
  lost?: boolean;
  /** Signals that wait for the thaw. */
  readonly pending: number[];
}

/** A task of the fake machine: what of it would be on disk and in the kernel. */
export interface FakeTask {
  readonly record: TaskRecord;
  readonly init: FakeProcess;
  readonly execs: Map<ExecId, { readonly record: ExecRecord; readonly process: FakeProcess }>;
  /** A create that is cut off stays `creating`. */
  step: 'creating' | 'made' | 'started';
  frozen: boolean;
  oomKills: bigint;
  startedAtMs?: number;
}

/** Disk and kernel of a machine without any: it outlives the runtimes that are opened on it, as tasks outlive agents. */
export class FakeMachine {
  readonly tasks = new Map<string, FakeTask>();
  #lastPid = 1000;

  spawn(): ProcessIdentity {
    this.#lastPid += 1;
    return { pid: this.#lastPid, startTime: String(this.#lastPid * 10), bootId: 'fake-boot' };
  }

  task(ref: TaskRef): FakeTask | undefined {
    return this.tasks.get(refKey(ref));
  }

  /** What a new agent would find. */
  found(): readonly FoundTask[] {
    return [...this.tasks.values()].map(toFoundTask);
  }
}

/** Whether there is a process that has not ended. */
export function isLive(process: FakeProcess): boolean {
  return process.identity !== undefined && !process.exit && !process.lost;
}

function toFoundTask(task: FakeTask): FoundTask {
  const { record, init } = task;
  return {
    record,
    phase: phaseOf(task),
    execs: [...task.execs.values()].map(toFoundExec),
    ...(init.identity ? { init: init.identity } : {}),
    ...(task.startedAtMs === undefined ? {} : { startedAtMs: task.startedAtMs }),
    ...(init.exit ? { exit: init.exit } : {}),
  };
}

function phaseOf(task: FakeTask): FoundTask['phase'] {
  if (task.step === 'creating') return 'creating';
  if (task.init.lost) return 'lost';
  if (task.init.exit) return 'stopped';
  if (!task.init.identity) return 'restoring';
  if (task.step === 'made') return 'created';
  return task.frozen ? 'paused' : 'running';
}

function toFoundExec({ record, process }: { record: ExecRecord; process: FakeProcess }): FoundExec {
  const ended = process.exit ? 'stopped' : 'running';
  return {
    record,
    phase: process.lost ? 'lost' : process.identity ? ended : 'created',
    ...(process.identity ? { process: process.identity } : {}),
    ...(process.exit ? { exit: process.exit } : {}),
  };
}
