/** One entry of a log: a line, or a part of one that is longer than the monitor's buffer. */
export interface CriLine {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The text with its line end; a part of a longer line has none. */
  readonly data: Uint8Array;
}

const space = 0x20;
const newline = Buffer.from('\n');

/**
 * Parses an entry, `TIME stdout|stderr F|P TEXT` without its line end (Kubernetes' CRI log format); undefined for what is
 * none, such as the rest of a line that a crash of the machine cut in two.
 */
export function parseCriLine(entry: Buffer): CriLine | undefined {
  const first = entry.indexOf(space);
  const second = entry.indexOf(space, first + 1);
  if (first <= 0 || second < 0) return undefined;
  const stream = entry.toString('latin1', first + 1, second);
  const tag = entry.toString('latin1', second + 1, second + 2);
  const after = entry[second + 2];
  if ((stream !== 'stdout' && stream !== 'stderr') || (after !== space && after !== undefined)) return undefined;
  if (tag !== 'F' && tag !== 'P') return undefined;
  const text = entry.subarray(second + 3);
  return {
    time: entry.toString('latin1', 0, first),
    stream,
    data: tag === 'F' ? Buffer.concat([text, newline]) : Buffer.from(text),
  };
}
