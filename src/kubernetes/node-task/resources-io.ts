import type { MachineLimits } from '#oci/machine.ts';
import type { BlockIoSpec, LinuxResources, ThrottleSpec } from '#oci/runtime-spec.ts';
import type { Resources } from './types.ts';

type Io = NonNullable<Resources['io']>;

export interface IoContext {
  readonly machine: MachineLimits;
  /** What was applied before, so that what is named no more is set back. */
  readonly previous?: Io;
  /** Gets the fields that this machine cannot do. */
  readonly missing: string[];
}

/** The kernel's own "no limit", as a number that JSON holds exactly: 2^63 rounded down to a page. */
export const unlimitedBytes = 9_223_372_036_854_771_712;

/** `spec.resources.io` in the kernel's words. */
export function ioResources(io: Io | undefined, context: IoContext): LinuxResources {
  const { machine, previous } = context;
  const { version, controllers } = machine.cgroup;
  if (!controllers.includes(version === 1 ? 'blkio' : 'io')) {
    if (io) context.missing.push('io');
    return {};
  }
  const named = new Map<string, IoDevice>();
  for (const { device } of previous?.devices ?? []) named.set(device, { device });
  for (const device of io?.devices ?? []) named.set(device.device, device);
  const { unified, blockIO } = weightPart(io?.weight ?? (previous?.weight && usualWeight), machine, context.missing);
  const whole = { ...blockIO, ...throttles([...named.values()], version) };
  return { ...(unified ? { unified } : {}), ...(Object.keys(whole).length > 0 ? { blockIO: whole } : {}) };
}

/** What everybody has. */
const usualWeight = 100;
/** The highest that the disk scheduler takes outside of v2's own file. */
const highestBfqWeight = 1000;
/** The lowest and the usual weight of v1's older scheduler, where the usual is 500. */
const cfq = { lowest: 10, factor: 5 };

function weightPart(
  weight: number | undefined,
  machine: MachineLimits,
  missing: string[],
): { readonly blockIO?: BlockIoSpec; readonly unified?: Readonly<Record<string, string>> } {
  if (weight === undefined) return {};
  const file = machine.cgroup.ioWeightFile;
  const bounded = Math.min(weight, highestBfqWeight);
  switch (file) {
    case undefined:
      missing.push('io.weight');
      return {};
    case 'io.weight':
      return { unified: { 'io.weight': `default ${weight}` } };
    case 'io.bfq.weight':
      return { unified: { 'io.bfq.weight': String(bounded) } };
    case 'blkio.bfq.weight':
      return { blockIO: { weight: bounded } };
    case 'blkio.weight':
      return { blockIO: { weight: Math.min(highestBfqWeight, Math.max(cfq.lowest, weight * cfq.factor)) } };
    default:
      return file satisfies never;
  }
}

type IoDevice = NonNullable<Io['devices']>[number];

/** v1 takes 0 for "no limit", v2 takes a number too high to matter. */
function throttles(devices: readonly IoDevice[], version: 1 | 2): BlockIoSpec {
  if (devices.length === 0) return {};
  const none = version === 1 ? 0 : unlimitedBytes;
  const rates = (field: Exclude<keyof IoDevice, 'device'>): readonly ThrottleSpec[] =>
    devices.map((entry) => {
      const [major = 0, minor = 0] = entry.device.split(':').map(Number);
      return { major, minor, rate: entry[field] ?? none };
    });
  return {
    throttleReadBpsDevice: rates('readBytesPerSecond'),
    throttleWriteBpsDevice: rates('writeBytesPerSecond'),
    throttleReadIOPSDevice: rates('readOperationsPerSecond'),
    throttleWriteIOPSDevice: rates('writeOperationsPerSecond'),
  };
}
