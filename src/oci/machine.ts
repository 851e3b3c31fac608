import { allCapabilities } from './capabilities.ts';
import type { Capability } from './capabilities.ts';
import type { Architecture } from './seccomp.ts';

/**
 * What this machine can and cannot do for a container. A value: `host/machine.ts` reads it once at start, tests write it.
 */
export interface MachineLimits {
  readonly architecture: Architecture;
  /** Capabilities that the agent has itself: it cannot give others. */
  readonly capabilities: readonly Capability[];
  /** Whether the kernel filters system calls. */
  readonly seccomp: boolean;
  /** Absent where AppArmor is off; the names of the profiles that are loaded where it is on. */
  readonly appArmorProfiles?: readonly string[];
  /** The agent's own, below which nothing can be set without CAP_SYS_RESOURCE. */
  readonly oomScoreAdj: number;
  /** RLIMIT_… → the agent's own hard limit, which nothing can pass without CAP_SYS_RESOURCE. Absent is unlimited. */
  readonly hardLimits: Readonly<Record<string, number>>;
  readonly cgroup: CgroupLimits;
}

export interface CgroupLimits {
  readonly version: 1 | 2;
  /** Controllers that a task's cgroup can have: v2's are `cpu`, `io`, `memory` …, v1's `cpu`, `blkio`, `memory` …. */
  readonly controllers: readonly string[];
  /** Whether swap is counted, so that it can be limited. */
  readonly swap: boolean;
  /** The file that takes a share of a busy disk; absent where the disk scheduler knows none. */
  readonly ioWeightFile?: 'blkio.weight' | 'blkio.bfq.weight' | 'io.weight' | 'io.bfq.weight';
  /** Sizes of huge pages that can be limited, as the controller's files name them, such as `2MB`. */
  readonly hugePageSizes: readonly string[];
  /** Every processor and memory node, such as `0-3` and `0`; what "no cpuset" means once there was one. */
  readonly cpus: string;
  readonly mems: string;
}

/** Names the capabilities of which the kernel gives the bits, as in `CapEff` of `/proc/PID/status`. */
export function toMachineLimits(
  facts: Omit<MachineLimits, 'capabilities'> & { readonly capabilityBits: bigint },
): MachineLimits {
  const { capabilityBits, ...rest } = facts;
  return { ...rest, capabilities: allCapabilities.filter((_, bit) => (capabilityBits >> BigInt(bit)) & 1n) };
}
