import { listNamesSync } from './files.ts';
import { identify, isAlive, readProcessStat, signalProcess, type ProcessIdentity } from './process.ts';

/** What descends from a process now, parents first, itself left out. Whom a dead parent has left is not found. */
export function descendants(pid: number, proc = '/proc'): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of listNamesSync(proc)) {
    const stat = /^\d+$/.test(name) ? readProcessStat(Number(name), proc) : undefined;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat.pid]);
  }
  const found: number[] = [];
  for (let todo = [pid]; todo.length > 0;) {
    todo = todo.flatMap((parent) => children.get(parent) ?? []);
    found.push(...todo);
  }
  return found;
}

/** How many times to look for those that were started while the others were being ended. */
const rounds = 5;

/** Ends a process and all that descends from it. Nothing when it has ended. */
export function endTree(top: ProcessIdentity): void {
  const known = new Map<number, ProcessIdentity>([[top.pid, top]]);
  for (let round = 1; round <= rounds; round += 1) {
    // A process that has been sent a KILL still has its children for a moment.
    const fresh = [...known.values()]
      .filter(isAlive)
      .flatMap(({ pid }) => descendants(pid))
      .filter((pid) => !known.has(pid));
    for (const identity of fresh.map(identify)) if (identity) known.set(identity.pid, identity);
    for (const identity of known.values()) signalProcess(identity, 9);
    if (round > 1 && fresh.length === 0) return;
  }
}
