import type { InterfaceStats, Limit, MemoryStats } from '#cgroup/stats.ts';
import type { NetworkStat } from '../gen/io/containerd/cgroups/v2/metrics.ts';

/** A limit as a number, `none` where there is none. */
export function limitOr(limit: Limit | undefined, none: bigint): bigint {
  return limit === undefined || limit === 'unlimited' ? none : limit;
}

/** A line of `memory.stat` where the reading has them; undefined else. */
export function statLine({ stat }: MemoryStats, name: string): bigint | undefined {
  return stat?.[name];
}

/** The part of the usage that the working set leaves out: the inactive page cache. */
export function inactiveFile({ usageBytes, workingSetBytes }: MemoryStats): bigint {
  return workingSetBytes === undefined ? 0n : usageBytes - workingSetBytes;
}

/** `8:16` → its two numbers. */
export function deviceNumbers(device: string): { readonly major: bigint; readonly minor: bigint } {
  const [major = '0', minor = '0'] = device.split(':');
  return { major: BigInt(major), minor: BigInt(minor) };
}

/** An interface's counters, the same message in both versions. */
export function toNetworkStat({ name, receive, transmit }: InterfaceStats): NetworkStat {
  return {
    name,
    ...{ rxBytes: receive.bytes, rxPackets: receive.packets, rxErrors: receive.errors, rxDropped: receive.dropped },
    ...{ txBytes: transmit.bytes, txPackets: transmit.packets, txErrors: transmit.errors, txDropped: transmit.dropped },
  };
}
