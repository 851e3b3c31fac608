import { MalformedError } from '#errors/errors.ts';
import { lines, parseCount } from './parse.ts';
import type { PressureResource, PressureStats, TaskStats } from './stats.ts';

export const pressureResources: readonly PressureResource[] = ['cpu', 'memory', 'io', 'irq'];

/**
 * Parses a pressure file: `some avg10=… avg60=… avg300=… total=N`, and the same for `full`; N is microseconds. Throws
 * MalformedError. Kernel: accounting/psi.rst.
 */
export function parsePressure(text: string): PressureStats {
  let waitingUsec: bigint | undefined;
  let stalledUsec: bigint | undefined;
  for (const line of lines(text)) {
    const total = line.indexOf(' total=');
    if (total < 0) throw new MalformedError(`not a line of a pressure file: ${line.slice(0, 100)}`);
    const usec = parseCount(line.slice(total + ' total='.length));
    if (line.startsWith('some ')) waitingUsec = usec;
    else if (line.startsWith('full ')) stalledUsec = usec;
    else throw new MalformedError(`not a line of a pressure file: ${line.slice(0, 100)}`);
  }
  return {
    ...(waitingUsec === undefined ? {} : { waitingUsec }),
    ...(stalledUsec === undefined ? {} : { stalledUsec }),
  };
}

/** The pressure files that are there; undefined when none is. */
export function pressureStats(read: (file: string) => string | undefined): TaskStats['pressure'] {
  const found: Partial<Record<PressureResource, PressureStats>> = {};
  let any = false;
  for (const resource of pressureResources) {
    const text = read(`${resource}.pressure`);
    if (text === undefined) continue;
    found[resource] = parsePressure(text);
    any = true;
  }
  return any ? found : undefined;
}
