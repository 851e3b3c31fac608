import type { DeviceIo, InterfaceStats, TaskStats } from '#cgroup/stats.ts';

/** What keeps a task from making series without bound. What is left out is counted. */
export interface CardinalityLimits {
  readonly maxDevices: number;
  readonly maxInterfaces: number;
  readonly maxPageSizes: number;
  /** Names of block devices that are exported, by the kernel's name. */
  readonly devices: RegExp;
  readonly interfaces: RegExp;
}

/** Memory disks are left out: what they do is no I/O. */
export const defaultLimits: CardinalityLimits = {
  maxDevices: 16,
  maxInterfaces: 8,
  maxPageSizes: 4,
  devices: /^(?!z?ram\d)/,
  interfaces: /^/,
};

export type Bounded = 'device' | 'interface' | 'pagesize';

/** Bounds a reading; `dropped` is told how much of a kind is left out. Devices get the kernel's names on the way. */
export function boundStats(
  stats: TaskStats,
  limits: CardinalityLimits,
  options: {
    readonly deviceName: (number: string) => string;
    readonly dropped: (label: Bounded, count: number) => void;
  },
): TaskStats {
  const { io, network, hugetlb } = stats;
  if (!io && !network && !hugetlb) return stats;
  const cut = <T>(label: Bounded, items: readonly T[], max: number): readonly T[] => {
    if (items.length > max) options.dropped(label, items.length - max);
    return items.length > max ? items.slice(0, max) : items;
  };
  return {
    ...stats,
    ...(io ? { io: { devices: cut('device', named(io.devices, limits, options.deviceName), limits.maxDevices) } } : {}),
    ...(network ? { network: cut('interface', allowed(network, limits), limits.maxInterfaces) } : {}),
    ...(hugetlb ? { hugetlb: cut('pagesize', hugetlb, limits.maxPageSizes) } : {}),
  };
}

function named(
  devices: readonly DeviceIo[],
  limits: CardinalityLimits,
  deviceName: (number: string) => string,
): readonly DeviceIo[] {
  return devices
    .map((io) => ({ ...io, device: deviceName(io.device) }))
    .filter(({ device }) => limits.devices.test(device));
}

function allowed(network: readonly InterfaceStats[], limits: CardinalityLimits): readonly InterfaceStats[] {
  return network.filter(({ name }) => limits.interfaces.test(name));
}
