import type { Clock } from '#async/clock.ts';
import { readBytesSync } from '#host/files.ts';
import { identify, isAlive, signalProcess, type ProcessIdentity } from '#host/process.ts';
import { descendants } from '#host/process-tree.ts';
import type { Task } from '#task/task.ts';
import { execMark } from './exec-process-spec.ts';

/** How often to look for those that were started while the others were being ended. */
const rounds = 50;
const roundMs = 20;

/**
 * Ends a program that an exec has started and all that descends from it: children by their parents, and those whom a dead
 * parent has left by the mark that they inherited, as far as they are in the task's cgroup. Returns when none is left, or
 * when they do not go, as in a paused task.
 */
export async function endExecTree(
  task: Task,
  uid: string,
  options: { readonly clock: Clock; readonly pid: number },
): Promise<void> {
  const mark = Buffer.from(`${execMark}=${uid}\0`);
  const known = new Map<number, ProcessIdentity>();
  for (let round = 0; round < rounds; round += 1) {
    for (const pid of await membersOf(task, options.pid, mark)) {
      const identity = known.has(pid) ? undefined : identify(pid);
      if (identity) known.set(pid, identity);
    }
    const alive = [...known.values()].filter(isAlive);
    if (alive.length === 0) return;
    for (const identity of alive) signalProcess(identity, 9);
    await options.clock.sleep(roundMs);
  }
}

async function membersOf(task: Task, top: number, mark: Buffer): Promise<readonly number[]> {
  const inTask = new Set((await task.pids().catch(() => [])).map(({ pid }) => pid));
  inTask.delete(task.pid);
  const below = new Set(top > 0 ? [top, ...descendants(top)] : []);
  return [...inTask].filter((pid) => below.has(pid) || isMarked(pid, mark));
}

function isMarked(pid: number, mark: Buffer): boolean {
  try {
    const environment = readBytesSync(`/proc/${pid}/environ`);
    if (!environment) return false;
    const at = environment.indexOf(mark);
    return at === 0 || (at > 0 && environment[at - 1] === 0);
  } catch {
    return false; // it is ending
  }
}
