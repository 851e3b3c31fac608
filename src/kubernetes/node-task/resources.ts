import type { MachineLimits } from '#oci/machine.ts';
import type { LinuxResources } from '#oci/runtime-spec.ts';
import { parseBytes, parseMilliCpu } from './quantity.ts';
import { ioResources, unlimitedBytes } from './resources-io.ts';
import type { QuantityText, Resources } from './types.ts';

export interface ResourceContext {
  readonly machine: MachineLimits;
  /** `pids` of a task that names none. */
  readonly defaultPidsLimit: number;
  /** What was applied before, so that what is named no more is set back. */
  readonly previous?: Resources;
}

export interface KernelResources {
  readonly linux: LinuxResources;
  /** Fields below spec.resources that this kernel or cgroup version cannot do, such as `memoryHigh`; the rest applies. */
  readonly notSupported: readonly string[];
}

/** The length of a CFS period, microseconds: the kernel's default, and kubelet's. */
const periodUsec = 100_000;
/** The kernel takes no quota below a millisecond. */
const lowestQuotaUsec = 1000;
/** cgroup v1's bounds of cpu.shares; one processor is 1024. */
const lowestShares = 2;
const highestShares = 262_144;

/**
 * What `spec.resources` is in the kernel: the same value at creation and for a change while the task runs. By kubelet's
 * formulas; an absent cpu, memory or pids limit is written as unlimited (pids: the default), so that taking one away works.
 */
export function toLinuxResources(resources: Resources | undefined, context: ResourceContext): KernelResources {
  const wanted = resources ?? {};
  const missing: string[] = [];
  const parts: LinuxResources[] = [
    cpuPart(wanted, context, missing),
    memoryPart(wanted, context, missing),
    pidsPart(wanted, context, missing),
    hugepagePart(wanted, context, missing),
    ioResources(wanted.io, {
      machine: context.machine,
      missing,
      ...(context.previous?.io ? { previous: context.previous.io } : {}),
    }),
  ];
  return { linux: merge(parts), notSupported: missing };
}

/** kubelet's MilliCPUToShares. */
export function toShares(milliCpu: bigint): number {
  return Math.min(highestShares, Math.max(lowestShares, Number((milliCpu * 1024n) / 1000n)));
}

/** kubelet's MilliCPUToQuota, in microseconds each period. */
export function toQuotaUsec(milliCpu: bigint): number {
  return Math.max(lowestQuotaUsec, Number((milliCpu * BigInt(periodUsec)) / 1000n));
}

function cpuPart(wanted: Resources, context: ResourceContext, missing: string[]): LinuxResources {
  const { controllers } = context.machine.cgroup;
  const limit = wanted.limits?.['cpu'];
  const request = wanted.requests?.['cpu'];
  const shared = request ?? limit;
  if (!controllers.includes('cpu')) {
    if (limit !== undefined) missing.push('limits.cpu');
    if (request !== undefined) missing.push('requests.cpu');
    return { cpu: cpusetPart(wanted, context, missing) };
  }
  return {
    cpu: {
      shares: shared === undefined ? lowestShares : toShares(parseMilliCpu(shared)),
      quota: limit === undefined ? -1 : toQuotaUsec(parseMilliCpu(limit)),
      period: periodUsec,
      ...cpusetPart(wanted, context, missing),
    },
  };
}

function cpusetPart(
  { cpuset }: Resources,
  { machine, previous }: ResourceContext,
  missing: string[],
): NonNullable<LinuxResources['cpu']> {
  if (!machine.cgroup.controllers.includes('cpuset')) {
    if (cpuset) missing.push('cpuset');
    return {};
  }
  const cpus = cpuset?.cpus ?? (previous?.cpuset?.cpus && machine.cgroup.cpus);
  const mems = cpuset?.mems ?? (previous?.cpuset?.mems && machine.cgroup.mems);
  return { ...(cpus === undefined ? {} : { cpus }), ...(mems === undefined ? {} : { mems }) };
}

function memoryPart(wanted: Resources, { machine }: ResourceContext, missing: string[]): LinuxResources {
  const { version, controllers, swap } = machine.cgroup;
  const has = controllers.includes('memory');
  const request = wanted.requests?.['memory'];
  const cannot = {
    'limits.memory': wanted.limits?.['memory'] !== undefined && !has,
    'requests.memory': request !== undefined && !has,
    memoryHigh: wanted.memoryHigh !== undefined && !(has && version === 2),
    memorySwap: wanted.memorySwap !== undefined && !(has && swap),
  };
  missing.push(...Object.entries(cannot).flatMap(([field, is]) => (is ? [field] : [])));
  if (!has) return {};
  const memory = memoryLimit(wanted, swap);
  return version === 1
    ? { memory: { ...memory, reservation: request === undefined ? -1 : toNumber(request) } }
    : { memory, unified: memoryFiles(wanted) };
}

/** Without a word about swap a limited task has none; the specification's number is memory and swap together. */
function memoryLimit(wanted: Resources, swap: boolean): NonNullable<LinuxResources['memory']> {
  const limit = wanted.limits?.['memory'];
  const limitBytes = limit === undefined ? -1 : toNumber(limit);
  if (!swap) return { limit: limitBytes };
  return { limit: limitBytes, swap: limit === undefined ? -1 : limitBytes + toNumber(wanted.memorySwap ?? 0) };
}

/** v2's files, by name: the specification's words for them cannot say "none" (low) or do not exist (high). */
function memoryFiles(wanted: Resources): Readonly<Record<string, string>> {
  const request = wanted.requests?.['memory'];
  return {
    'memory.low': String(request === undefined ? 0n : parseBytes(request)),
    'memory.high': wanted.memoryHigh === undefined ? 'max' : String(parseBytes(wanted.memoryHigh)),
  };
}

function pidsPart(wanted: Resources, context: ResourceContext, missing: string[]): LinuxResources {
  const limit = wanted.limits?.['pids'];
  if (context.machine.cgroup.controllers.includes('pids')) {
    return { pids: { limit: limit === undefined ? context.defaultPidsLimit : toNumber(limit) } };
  }
  if (limit !== undefined) missing.push('limits.pids');
  return {};
}

function hugepagePart(wanted: Resources, { machine, previous }: ResourceContext, missing: string[]): LinuxResources {
  const limits = hugepageLimits(wanted);
  const sizes = machine.cgroup.hugePageSizes;
  for (const [size, { field }] of limits) if (!sizes.includes(size)) missing.push(field);
  const known = [...new Set([...limits.keys(), ...hugepageLimits(previous ?? {}).keys()])].filter((size) =>
    sizes.includes(size),
  );
  if (known.length === 0) return {};
  return {
    hugepageLimits: known.map((pageSize) => ({ pageSize, limit: limits.get(pageSize)?.limitBytes ?? unlimitedBytes })),
  };
}

/** Page size as the controller's files name it (`2MB`) → its limit. */
function hugepageLimits(
  resources: Resources,
): ReadonlyMap<string, { readonly field: string; readonly limitBytes: number }> {
  const entries = Object.entries(resources.limits ?? {}).filter(([name]) => name.startsWith('hugepages-'));
  return new Map(
    entries.map(([name, value]) => [
      pageSizeName(parseBytes(name.slice('hugepages-'.length))),
      { field: `limits.${name}`, limitBytes: toNumber(value) },
    ]),
  );
}

function pageSizeName(bytes: bigint): string {
  if (bytes % 2n ** 30n === 0n) return `${bytes / 2n ** 30n}GB`;
  return bytes % 2n ** 20n === 0n ? `${bytes / 2n ** 20n}MB` : `${bytes / 2n ** 10n}KB`;
}

/** Parts hold different controllers; only `unified` may come from several. */
function merge(parts: readonly LinuxResources[]): LinuxResources {
  const unified = Object.assign({}, ...parts.map((part) => part.unified ?? {})) as Record<string, string>;
  const whole: LinuxResources = Object.assign({}, ...parts);
  const { unified: _, ...rest } = whole;
  return Object.keys(unified).length > 0 ? { ...rest, unified } : rest;
}

/** A quantity as JSON's number: past 2^53 it is no longer exact, which no machine's memory reaches. */
function toNumber(quantity: QuantityText): number {
  return Number(parseBytes(quantity));
}
