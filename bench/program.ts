import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Builds the program as it is shipped and returns its path: from its sources an agent takes more memory. */
export function buildProgram(): string {
  const builder = ['node_modules/rolldown/bin/cli.mjs', '-c', 'rolldown.config.ts', '--log-level', 'warn'];
  execFileSync(process.execPath, builder, { stdio: ['ignore', 'ignore', 'inherit'] });
  return resolve('dist/runlet.js');
}

/** What a process takes, in KiB: all that is resident, and its share of what it shares with others. */
export interface Memory {
  readonly rss: number;
  readonly pss: number;
}

/** Of smaps_rollup, proc(5). */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const value = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return { rss: value('Rss'), pss: value('Pss') };
}

export function sumOf(all: readonly Memory[]): Memory {
  return all.reduce((sum, { rss, pss }) => ({ rss: sum.rss + rss, pss: sum.pss + pss }), { rss: 0, pss: 0 });
}

/** CPU time that a process has used in all its threads, in milliseconds; the kernel tells it in steps of ten. proc(5). */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return ((utime ?? 0) + (stime ?? 0)) * msATick;
}

/** Of USER_HZ, which is 100 on every machine that Linux runs on today. */
const msATick = 10;

/** The processes of these whose program has this name, as the kernel cuts it to 15 bytes. */
export function processesNamed(pids: readonly number[], name: string): readonly number[] {
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name.slice(0, 15);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

/** USER_HZ, which the kernel tells every program as 100. */
const ticksASecond = 100;

/** User and system time of a process, proc(5), in milliseconds. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksASecond;
}

/** KiB as megabytes. */
export function mb(kib: number): string {
  return ((kib * 1024) / 1e6).toFixed(2);
}
