import { MalformedError } from '#errors/errors.ts';
import { readLinkSync } from '#host/files.ts';
import { lines, parseCount } from './parse.ts';
import type { InterfaceStats } from './stats.ts';

/** Columns of a line of `/proc/PID/net/dev` after the interface's name; the first eight are received, the others sent. */
const columns = 16;

/** Parses `/proc/PID/net/dev`: two lines of headings, then one for each interface. Throws MalformedError. Format: proc(5). */
export function parseNetDev(text: string): readonly InterfaceStats[] {
  return lines(text)
    .slice(2)
    .map((line) => {
      // A name may hold a colon itself (an alias); the numbers do not.
      const colon = line.lastIndexOf(':');
      const name = line.slice(0, colon).trim();
      const counts = line
        .slice(colon + 1)
        .split(' ')
        .filter(Boolean);
      if (colon < 0 || name === '' || counts.length < columns) {
        throw new MalformedError(`not a line of /proc/PID/net/dev: ${line.slice(0, 100)}`);
      }
      const at = (column: number) => parseCount(counts[column] ?? '');
      return {
        name,
        receive: { bytes: at(0), packets: at(1), errors: at(2), dropped: at(3) },
        transmit: { bytes: at(8), packets: at(9), errors: at(10), dropped: at(11) },
      };
    });
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
