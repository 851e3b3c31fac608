import { readdirSync, readFileSync } from 'node:fs';

/** What a process takes. */
export interface ProcessMemory {
  /** Bytes that are resident now, and the most that have been so far. */
  readonly residentBytes: number;
  readonly peakBytes: number;
  /** Open ones. */
  readonly descriptors: number;
}

export function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return {
    residentBytes: bytes('VmRSS'),
    peakBytes: bytes('VmHWM'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** The larger of each. */
export function largest(left: ProcessMemory, right: ProcessMemory): ProcessMemory {
  return {
    residentBytes: Math.max(left.residentBytes, right.residentBytes),
    peakBytes: Math.max(left.peakBytes, right.peakBytes),
    descriptors: Math.max(left.descriptors, right.descriptors),
  };
}

/** More than an agent needs, whatever it has been through: what grows without end gets past it. */
const limits = {
  /** A program from its sources on a machine with much memory, whose collector is in no hurry. */
  peakBytes: 300e6,
  peakBytesEach: 0.3e6,
  /** Logs, sockets, connections, watches. */
  descriptors: 80,
  /** Its cgroup's files, its attach socket and its FIFOs. */
  descriptorsEach: 40,
};

/** What is beyond those bounds, one sentence each. */
export function tooLarge(
  { most, empty }: { readonly most: ProcessMemory; readonly empty: ProcessMemory },
  tasks: number,
): readonly string[] {
  const bytes = limits.peakBytes + tasks * limits.peakBytesEach;
  const descriptors = limits.descriptors + tasks * limits.descriptorsEach;
  return [
    ...(most.peakBytes > bytes ? [`an agent took ${most.peakBytes} bytes, more than ${bytes}`] : []),
    ...(most.descriptors > descriptors
      ? [`an agent had ${most.descriptors} descriptors, more than ${descriptors}`]
      : []),
    ...(empty.descriptors > limits.descriptors
      ? [`an agent without a task had ${empty.descriptors} descriptors, more than ${limits.descriptors}`]
      : []),
  ];
}
