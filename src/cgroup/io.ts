import { MalformedError } from '#errors/errors.ts';
import { lines, parseCount, parseNestedKeyed } from './parse.ts';
import type { DeviceIo, IoCost, IoOperation, IoStats } from './stats.ts';

/** Parses v2's `io.stat`; a line without numbers, as the kernel writes for devices nobody used, is left out. */
export function parseIoStat(text: string): IoStats {
  return {
    devices: parseNestedKeyed(text)
      .filter(([, values]) => values.size > 0)
      .map(([device, values]) => toDevice(device, values)),
  };
}

const costs: readonly IoCost[] = ['usage', 'wait', 'indebt', 'indelay'];

function toDevice(device: string, values: ReadonlyMap<string, bigint>): DeviceIo {
  const cost = pick(costs, (name) => values.get(`cost.${name}`));
  return {
    device,
    bytes: pick(operations, (name) => values.get(`${name[0]}bytes`)),
    operations: pick(operations, (name) => values.get(`${name[0]}ios`)),
    ...(Object.keys(cost).length > 0 ? { costUsec: cost } : {}),
  };
}

const operations: readonly IoOperation[] = ['read', 'write', 'discard'];

/** Word of a v1 blkio file → ours. `Sync`, `Async` and `Total` count the same again. */
const words: Readonly<Record<string, IoOperation>> = { Read: 'read', Write: 'write', Discard: 'discard' };

/**
 * Parses a v1 blkio file of operations, `major:minor Word count` and last a `Total`: counts by device. Throws MalformedError.
 * Kernel: admin-guide/cgroup-v1/blkio-controller.
 */
export function parseBlkio(text: string): ReadonlyMap<string, Readonly<Partial<Record<IoOperation, bigint>>>> {
  const devices = new Map<string, Partial<Record<IoOperation, bigint>>>();
  for (const line of lines(text)) {
    if (line.startsWith('Total ')) continue;
    const [device, word, count, ...rest] = line.split(' ');
    if (!device || !word || !count || rest.length > 0) {
      throw new MalformedError(`not a "major:minor word count" line: ${line.slice(0, 100)}`);
    }
    const counts = devices.get(device) ?? {};
    devices.set(device, counts);
    const operation = words[word];
    if (operation) counts[operation] = parseCount(count);
  }
  return devices;
}

/** Joins the two files of v1 that count bytes and operations. */
export function blkioStats(bytes: string | undefined, operationsText: string | undefined): IoStats | undefined {
  if (bytes === undefined && operationsText === undefined) return undefined;
  const byBytes = parseBlkio(bytes ?? '');
  const byOperations = parseBlkio(operationsText ?? '');
  const names = new Set([...byBytes.keys(), ...byOperations.keys()]);
  return {
    devices: [...names].map((device) => ({
      device,
      bytes: byBytes.get(device) ?? {},
      operations: byOperations.get(device) ?? {},
    })),
  };
}

function pick<K extends string>(
  names: readonly K[],
  value: (name: K) => bigint | undefined,
): Partial<Record<K, bigint>> {
  const picked: Partial<Record<K, bigint>> = {};
  for (const name of names) {
    const one = value(name);
    if (one !== undefined) picked[name] = one;
  }
  return picked;
}
