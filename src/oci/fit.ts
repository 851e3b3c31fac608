import type { Capability } from './capabilities.ts';
import type { MachineLimits } from './machine.ts';
import type { CapabilitiesSpec, LinuxSpec, ProcessSpec, RlimitSpec, RuntimeSpec } from './runtime-spec.ts';

/** A specification as this machine can run it. */
export interface FittedSpec {
  readonly spec: RuntimeSpec;
  /** What was left out and why, one sentence each; the same on one machine for every task, so that each is told once. */
  readonly warnings: readonly string[];
}

/**
 * Leaves out what this machine cannot do, where the runtime would fail instead: resource limits above the agent's own and a
 * lowered `oomScoreAdj` without CAP_SYS_RESOURCE, capabilities that the agent lacks, seccomp and AppArmor where the kernel
 * has none. For specifications that we wrote; those of API clients run as they are.
 */
export function fitToMachine(spec: RuntimeSpec, machine: MachineLimits): FittedSpec {
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  return {
    spec: {
      ...spec,
      ...(spec.process ? { process: fitProcess(spec.process, machine, warn) } : {}),
      ...(spec.linux ? { linux: fitLinux(spec.linux, machine, warn) } : {}),
    },
    warnings,
  };
}

type Warn = (text: string) => void;

function fitProcess(process: ProcessSpec, machine: MachineLimits, warn: Warn): ProcessSpec {
  const { oomScoreAdj, apparmorProfile, capabilities, rlimits, ...rest } = process;
  const bound = !machine.capabilities.includes('CAP_SYS_RESOURCE');
  return {
    ...rest,
    ...(oomScoreAdj === undefined ? {} : fitScore(oomScoreAdj, bound ? machine.oomScoreAdj : -1000, warn)),
    ...(apparmorProfile === undefined ? {} : fitProfile(apparmorProfile, machine, warn)),
    ...(capabilities ? { capabilities: fitCapabilities(capabilities, machine, warn) } : {}),
    ...(rlimits ? { rlimits: bound ? rlimits.map((limit) => fitLimit(limit, machine, warn)) : rlimits } : {}),
  };
}

function fitScore(oomScoreAdj: number, lowest: number, warn: Warn): Pick<ProcessSpec, 'oomScoreAdj'> {
  if (oomScoreAdj >= lowest) return { oomScoreAdj };
  warn(`oom_score_adj of tasks stays ${lowest}: lowering it needs CAP_SYS_RESOURCE, which the agent lacks`);
  return {};
}

function fitProfile(apparmorProfile: string, machine: MachineLimits, warn: Warn): Pick<ProcessSpec, 'apparmorProfile'> {
  if (machine.appArmorProfiles) return { apparmorProfile };
  warn('tasks run without AppArmor: the kernel has it switched off');
  return {};
}

function fitLimit(limit: RlimitSpec, machine: MachineLimits, warn: Warn): RlimitSpec {
  const highest = machine.hardLimits[limit.type];
  if (highest === undefined || limit.hard <= highest) return limit;
  warn(
    `${limit.type} is ${highest} instead of ${limit.hard}: raising it needs CAP_SYS_RESOURCE, which the agent lacks`,
  );
  return { type: limit.type, hard: highest, soft: Math.min(limit.soft, highest) };
}

function fitCapabilities(sets: CapabilitiesSpec, machine: MachineLimits, warn: Warn): CapabilitiesSpec {
  const has = (name: string) => machine.capabilities.includes(name as Capability);
  const missing = (sets.bounding ?? []).filter((name) => !has(name));
  if (missing.length > 0) warn(`tasks do not get ${missing.join(', ')}: the agent lacks what it cannot give`);
  return Object.fromEntries(
    Object.entries(sets).map(([set, names]: [string, readonly string[]]) => [set, names.filter(has)]),
  );
}

function fitLinux(linux: LinuxSpec, machine: MachineLimits, warn: Warn): LinuxSpec {
  if (!linux.seccomp || machine.seccomp) return linux;
  warn('tasks run without a filter of system calls: the kernel was built without seccomp');
  const { seccomp: _, ...rest } = linux;
  return rest;
}
