import { InvalidArgumentError } from '#errors/errors.ts';

/** Linux's numbers of signals on amd64 and arm64 (signal(7)). */
const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};

/** The names of the signals that are not real-time ones, without SIG. */
export const signalNames: readonly string[] = Object.keys(numbers);

/** Real-time signals as programs see them: the C library keeps 32 and 33 for itself. */
const firstRealTime = 34;
const lastRealTime = 64;

/**
 * The number of a signal: `TERM`, `SIGTERM`, `sigterm`, `15`, `SIGRTMIN+3` and `RTMAX-1` are understood. Throws
 * InvalidArgumentError for what is none.
 */
export function parseSignal(text: string): number {
  const number = signalNumber(text.trim().toUpperCase().replace(/^SIG/, ''));
  if (number === undefined) {
    throw new InvalidArgumentError(`"${text}" is no signal: write a name such as TERM, or a number from 1 to 64`);
  }
  return number;
}

/** The name of a signal without SIG: `TERM`; `RTMIN+3` for real-time ones. */
export function signalName(signal: number): string {
  const name = Object.entries(numbers).find(([, number]) => number === signal)?.[0];
  if (name) return name;
  return signal >= firstRealTime && signal <= lastRealTime
    ? `RTMIN${signal > firstRealTime ? `+${signal - firstRealTime}` : ''}`
    : String(signal);
}

function signalNumber(name: string): number | undefined {
  if (/^\d{1,2}$/.test(name)) return inRange(Number(name), 1);
  const [, end, sign, offset = '0'] = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  if (!end) return Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  const base = end === 'MIN' ? firstRealTime : lastRealTime;
  return inRange(base + Number(offset) * (sign === '-' ? -1 : 1), firstRealTime);
}

function inRange(signal: number, lowest: number): number | undefined {
  return signal >= lowest && signal <= lastRealTime ? signal : undefined;
}
