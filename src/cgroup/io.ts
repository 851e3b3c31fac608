import type { KernelText } from '#host/kernel-text.ts';
import { countBetween, endOfWord, malformed, WantedPairs, type NamedValues } from './parse.ts';
import type { Counts, DeviceIo, IoOperation, IoStats } from './stats.ts';

const ioStat = new WantedPairs(
  ...['rbytes', 'wbytes', 'dbytes', 'rios', 'wios', 'dios'],
  ...['cost.usage', 'cost.wait', 'cost.indebt', 'cost.indelay'],
);

/** Parses v2's `io.stat`; a line without numbers, as the kernel writes for devices nobody used, is left out. */
export function parseIoStat(text: KernelText): IoStats {
  return { devices: ioStat.parse(text).filter(hasNumbers).map(toDevice) };
}

function hasNumbers({ values }: NamedValues): boolean {
  return values.some((value) => value !== undefined);
}

function toDevice({ name: device, values }: NamedValues): DeviceIo {
  const [rbytes, wbytes, dbytes, rios, wios, dios, usage, wait, indebt, indelay] = values;
  return {
    device,
    bytes: { read: rbytes, write: wbytes, discard: dbytes },
    operations: { read: rios, write: wios, discard: dios },
    costUsec: usage === undefined ? undefined : { usage, wait, indebt, indelay },
  };
}

/** What one of v1's files counts, by device. */
export type DeviceCounts = ReadonlyMap<string, Counts<IoOperation>>;

/** Word of a v1 blkio file → ours. `Sync`, `Async` and `Total` count the same again. */
const words: Readonly<Record<string, IoOperation>> = { Read: 'read', Write: 'write', Discard: 'discard' };

/**
 * Parses a v1 blkio file of operations, `major:minor Word count` and last a `Total`: counts by device. Throws MalformedError.
 * Kernel: admin-guide/cgroup-v1/blkio-controller.
 */
export function parseBlkio(text: KernelText): DeviceCounts {
  const devices = new Map<string, Partial<Record<IoOperation, bigint>>>();
  for (let from = 0; from < text.length;) {
    const to = text.endOfLine(from);
    if (to > from && !text.has('Total ', from)) {
      const gap = endOfWord(text, from);
      const count = endOfWord(text, gap + 1) + 1;
      if (gap === from || count > to) throw malformed('a "major:minor word count" line', text, from, to);
      const device = text.toString(from, gap);
      const counts = devices.get(device) ?? {};
      devices.set(device, counts);
      const operation = words[text.toString(gap + 1, count - 1)];
      if (operation) counts[operation] = countBetween(text, count, to);
    }
    from = to + 1;
  }
  return devices;
}

/** Joins the two files of v1 that count bytes and operations. */
export function blkioStats(bytes: DeviceCounts, operations: DeviceCounts): IoStats {
  const names = new Set([...bytes.keys(), ...operations.keys()]);
  return {
    devices: [...names].map((device) => ({
      device,
      bytes: bytes.get(device) ?? {},
      operations: operations.get(device) ?? {},
    })),
  };
}
