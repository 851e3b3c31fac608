import { readLinkSync } from '#host/files.ts';
import type { KernelText } from '#host/kernel-text.ts';
import { countBetween, endOfWord, malformed } from './parse.ts';
import type { InterfaceCounts, InterfaceStats } from './stats.ts';

/** The network's file among those of a cgroup; it lies elsewhere. */
export const netDevFile = ['net/dev', 'standard'] as const;

/** Lines of headings in `/proc/PID/net/dev`. */
const headings = 2;
/** Columns of a line after the interface's name of what was received, and as many of what was sent. */
const half = 8;
/** The first of each half: bytes, packets, errors and dropped. */
const told = 4;
const space = 32;
const colon = 58;

/** Parses `/proc/PID/net/dev`: headings, then one line for each interface. Throws MalformedError. Format: proc(5). */
export function parseNetDev(text: KernelText): readonly InterfaceStats[] {
  const found: InterfaceStats[] = [];
  let line = 0;
  for (let from = 0; from < text.length; line += 1) {
    const to = text.endOfLine(from);
    if (to > from && line >= headings) found.push(parseInterface(text, from, to));
    from = to + 1;
  }
  return found;
}

function parseInterface(text: KernelText, from: number, to: number): InterfaceStats {
  // A name may hold a colon itself (an alias); the numbers do not.
  let end = to;
  while (end > from && text.at(end) !== colon) end -= 1;
  const begin = afterSpaces(text, from);
  if (begin >= end) throw malformed('a line of /proc/PID/net/dev', text, from, to);
  const counts: bigint[] = [];
  let column = 0;
  for (let at = afterSpaces(text, end + 1); at < to; column += 1) {
    const after = endOfWord(text, at);
    if (column % half < told) counts.push(countBetween(text, at, after));
    at = afterSpaces(text, after);
  }
  if (column < 2 * half) throw malformed('a line of /proc/PID/net/dev', text, from, to);
  return { name: text.toString(begin, end), receive: toCounts(counts, 0), transmit: toCounts(counts, told) };
}

function toCounts(counts: readonly bigint[], from: number): InterfaceCounts {
  const [bytes = 0n, packets = 0n, errors = 0n, dropped = 0n] = counts.slice(from, from + told);
  return { bytes, packets, errors, dropped };
}

function afterSpaces(text: KernelText, from: number): number {
  let at = from;
  while (text.at(at) === space) at += 1;
  return at;
}

/**
 * Where to read what a process's own network namespace counts; undefined when it shares that of the agent or of the machine's
 * first process, whose numbers are not the task's.
 */
export function netDevOf(pid: number, proc = '/proc'): string | undefined {
  const own = readLinkSync(`${proc}/${pid}/ns/net`);
  const shared = ['self', '1'].map((other) => readLinkSync(`${proc}/${other}/ns/net`));
  return own === undefined || shared.includes(own) ? undefined : `${proc}/${pid}/net/dev`;
}
