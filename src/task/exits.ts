import type { Exit } from './runtime.ts';

/** What a process ends with whose end nobody saw. */
const lostStatus = 255;

/** 128 + 9, as shells and containerd write a KILL. */
const killedStatus = 137;

/** The number of SIGKILL. */
export const killSignal = 9;

/** The exit of a process whose end nobody saw. */
export function lostExit(atMs: number): Exit {
  return { status: lostStatus, atMs, reason: 'Lost' };
}

/** The exit of what is killed before it had a process. */
export function killedExit(atMs: number): Exit {
  return { status: killedStatus, atMs, reason: 'Exited' };
}

/** The exit of an exec that is deleted without having run. */
export function neverRanExit(atMs: number): Exit {
  return { status: 0, atMs, reason: 'Exited' };
}
