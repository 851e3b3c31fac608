import { MalformedError, isErrno } from '#errors/errors.ts';
import { readTextSync } from './files.ts';

/**
 * Who a process is: its pid alone is used again after its end, so the start time (field 22 of `/proc/PID/stat`, clock
 * ticks since boot) and the boot are compared before a signal is sent.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot; a decimal text, because it is compared and never counted with. */
  readonly startTime: string;
  readonly bootId: string;
}

/** What `/proc/PID/stat` says of a process. */
export interface ProcessStat {
  readonly pid: number;
  readonly command: string;
  /** One letter: R, S, D, T, Z, X … (proc(5)). */
  readonly state: string;
  readonly parent: number;
  readonly startTime: string;
}

/** Parses `/proc/PID/stat`. The command stands in brackets and may hold spaces and brackets. Throws MalformedError. */
export function parseProcessStat(text: string): ProcessStat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const pid = Number(text.slice(0, open));
  const [state, parent, ...rest] = text.slice(close + 2).split(' ');
  const startTime = rest[17];
  if (open < 0 || close < open || !Number.isInteger(pid) || !state || !startTime) {
    throw new MalformedError(`not a line of /proc/PID/stat: ${text.slice(0, 200)}`);
  }
  return { pid, command: text.slice(open + 1, close), state, parent: Number(parent), startTime };
}

/** Reads it; undefined when there is no such process. */
export function readProcessStat(pid: number, proc = '/proc'): ProcessStat | undefined {
  const text = readTextSync(`${proc}/${pid}/stat`);
  return text ? parseProcessStat(text) : undefined;
}

let boot: string | undefined;

/** The kernel's name for this boot. */
export function bootId(): string {
  boot ??= readTextSync('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  return boot;
}

/** Who has this pid now; undefined when nobody has, or only a zombie is left. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readProcessStat(pid);
  if (!stat || stat.state === 'Z' || stat.state === 'X') return undefined;
  return { pid, startTime: stat.startTime, bootId: bootId() };
}

/** Who has this pid, or had it and has ended: a start time that no process has keeps the pid from being anybody's. */
export function identifyOrEnded(pid: number): ProcessIdentity {
  return identify(pid) ?? { pid, startTime: 'ended', bootId: bootId() };
}

/** Whether that very process still runs. A zombie has ended. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

/**
 * Sends a signal to that very process: identity and signal in one tick. Returns whether it was there to be signalled.
 * Signal 0 only asks. Throws EINVAL for a number that is no signal.
 */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

/** Sends a signal to whoever has this pid just now, such as a process that a cgroup was read to hold; one that has ended needs none. */
export function signalPid(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended since it was read.
  }
}

/** KILL's bit in the masks of `/proc/PID/status`, where signal n is bit n - 1. */
const killBit = 1n << 8n;

/** Whether a KILL waits for this process, or its first thread, to be able to die, by the text of `/proc/PID/status`. */
export function isBeingKilled(status: string): boolean {
  return ['SigPnd', 'ShdPnd'].some((field) => {
    const mask = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & killBit) !== 0n;
  });
}
