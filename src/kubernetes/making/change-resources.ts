import type { MachineLimits } from '#oci/machine.ts';
import type { LinuxResources } from '#oci/runtime-spec.ts';
import { toProblems, type Problem } from '../node-task/problem.ts';
import { toLinuxResources } from '../node-task/resources.ts';
import { resourceProblems } from '../node-task/rules-resources.ts';
import { resourcesSchema } from '../node-task/schema-resources.ts';
import type { NodeTaskSpec, Resources } from '../node-task/types.ts';

export interface ChangedResources {
  /** The whole spec with the resources that count from now on. */
  readonly spec: unknown;
  readonly linux: LinuxResources;
  readonly notSupported: readonly string[];
}

/**
 * What a change of some resources comes to: what it does not name stays as `before` has it. Of a task that no NodeTask's spec
 * describes, only what is named is written. Pure.
 */
export function changeResources(
  before: unknown,
  named: unknown,
  context: { readonly machine: () => MachineLimits; readonly defaultPidsLimit: number },
): ChangedResources | { readonly problems: readonly Problem[] } {
  const parsed = resourcesSchema.safeParse(named);
  if (!parsed.success) {
    return { problems: toProblems(parsed.error).map(({ path, rule }) => ({ path: `resources.${path}`, rule })) };
  }
  const { resources: previous, ...rest } = (before ?? {}) as Partial<NodeTaskSpec>;
  const resources = mergeResources(previous ?? {}, parsed.data);
  const problems = resourceProblems(resources);
  if (problems.length > 0) return { problems };
  const machine = context.machine();
  if (before === undefined) {
    const bare = { machine, defaultPidsLimit: -1 };
    const { linux, notSupported } = toLinuxResources(resources, bare);
    return { spec: { resources }, linux: differing(linux, toLinuxResources(undefined, bare).linux), notSupported };
  }
  const { linux, notSupported } = toLinuxResources(resources, {
    ...{ machine, defaultPidsLimit: context.defaultPidsLimit },
    ...(previous ? { previous } : {}),
  });
  return { spec: { ...rest, resources }, linux, notSupported };
}

function mergeResources(before: Resources, named: Resources): Resources {
  const fields = ['limits', 'requests', 'cpuset', 'io'] as const;
  const merged = fields.flatMap((field) =>
    before[field] || named[field] ? [[field, { ...before[field], ...named[field] }] as const] : [],
  );
  return { ...before, ...named, ...Object.fromEntries(merged) };
}

/** The values of `wanted` that `usual` does not have as well. */
function differing(wanted: LinuxResources, usual: LinuxResources): LinuxResources {
  const entries = Object.entries(wanted).flatMap(([part, value]: [string, unknown]) => {
    const other = (usual as Record<string, Record<string, unknown> | undefined>)[part];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[part, value]];
    const left = Object.entries(value).filter(([key, each]) => each !== other?.[key]);
    return left.length > 0 ? [[part, Object.fromEntries(left)]] : [];
  });
  const { cpu, ...rest } = Object.fromEntries(entries) as LinuxResources;
  if (!cpu) return rest;
  // A quota means nothing without its period, which whoever made the task may have chosen otherwise.
  return { ...rest, cpu: { ...cpu, ...(cpu.quota === undefined ? {} : { period: wanted.cpu?.period ?? 100_000 }) } };
}
