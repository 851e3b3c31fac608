import type { KernelText } from '#host/kernel-text.ts';
import type { CgroupFile, ReadFile } from './files.ts';
import { map } from './optional.ts';
import { countBetween, malformed } from './parse.ts';
import type { PressureResource, PressureStats, TaskStats } from './stats.ts';

/** The files by what they are about. */
export const pressureFiles = {
  cpu: 'cpu.pressure',
  memory: 'memory.pressure',
  io: 'io.pressure',
  irq: 'irq.pressure',
} as const satisfies Record<PressureResource, string>;

const total = ' total=';

/**
 * Parses a pressure file: `some avg10=… avg60=… avg300=… total=N`, and the same for `full`; N is microseconds. Throws
 * MalformedError. Kernel: accounting/psi.rst.
 */
export function parsePressure(text: KernelText): PressureStats {
  let waitingUsec: bigint | undefined;
  let stalledUsec: bigint | undefined;
  for (let from = 0; from < text.length;) {
    const to = text.endOfLine(from);
    if (text.has('some ', from)) waitingUsec = totalOf(text, from, to);
    else if (text.has('full ', from)) stalledUsec = totalOf(text, from, to);
    else if (to > from) throw malformed('a line of a pressure file', text, from, to);
    from = to + 1;
  }
  return { waitingUsec, stalledUsec };
}

/** It stands last. */
function totalOf(text: KernelText, from: number, to: number): bigint {
  for (let at = to - total.length; at > from; at -= 1) {
    if (text.has(total, at)) return countBetween(text, at + total.length, to);
  }
  throw malformed('a line of a pressure file', text, from, to);
}

/** What the pressure files say that are there; undefined when none is. */
export function pressureStats(
  read: ReadFile,
  files: Readonly<Record<`${PressureResource}Pressure`, CgroupFile>>,
): TaskStats['pressure'] {
  const cpu = map(read(files.cpuPressure), parsePressure);
  const memory = map(read(files.memoryPressure), parsePressure);
  const io = map(read(files.ioPressure), parsePressure);
  const irq = map(read(files.irqPressure), parsePressure);
  return cpu || memory || io || irq ? { cpu, memory, io, irq } : undefined;
}
