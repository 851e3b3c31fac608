import { errorMessage } from '#errors/errors.ts';
import { parseCapability } from '#oci/capabilities.ts';
import { parseSignal } from '#oci/signal.ts';
import { imageProblem } from './image-reference.ts';
import { oneOf } from './problem.ts';
import type { Problem } from './problem.ts';
import { resourceProblems } from './rules-resources.ts';
import { volumeProblems } from './rules-volumes.ts';
import type { EnvFrom, EnvVar, NodeTaskSpec, SecurityContext } from './types.ts';

/** A spec before its node is filled in. */
export type UnplacedSpec = Omit<NodeTaskSpec, 'nodeName'>;

/** The rules between fields of a spec, which a schema of single fields cannot say. */
export function specProblems(spec: UnplacedSpec, source: 'cluster' | 'local'): readonly Problem[] {
  return [
    ...sourceProblems(spec, source),
    ...(spec.env ?? []).flatMap((variable, index) => envProblems(variable, `spec.env[${index}]`)),
    ...(spec.envFrom ?? []).flatMap((from, index) => envFromProblems(from, `spec.envFrom[${index}]`)),
    ...volumeProblems(spec.volumes ?? [], spec.volumeMounts ?? []),
    ...(spec.resources ? resourceProblems(spec.resources) : []),
    ...(spec.securityContext ? securityProblems(spec.securityContext) : []),
    ...signalProblems(spec.stopSignal),
  ];
}

function sourceProblems(spec: UnplacedSpec, source: 'cluster' | 'local'): readonly Problem[] {
  const problems = [...oneOf('spec', spec, ['image', 'rootfs'])];
  const image = spec.image === undefined ? undefined : imageProblem(spec.image, source === 'local');
  if (image) problems.push({ path: 'spec.image', rule: image });
  if (spec.rootfs?.path === '/') problems.push({ path: 'spec.rootfs.path', rule: 'must not be the root of the node' });
  if (spec.rootfs && !spec.command?.length && !spec.args?.length) {
    problems.push({
      path: 'spec.command',
      rule: 'is required with rootfs: a plain folder says nothing about its program',
    });
  }
  return problems;
}

function envProblems(variable: EnvVar, path: string): readonly Problem[] {
  const zero = variable.value?.includes('\0') ? [{ path: `${path}.value`, rule: 'must not hold a zero byte' }] : [];
  if (!variable.valueFrom) return zero;
  const both =
    variable.value === undefined ? [] : [{ path, rule: 'must have value or valueFrom, not both: remove one of them' }];
  const sources = ['fieldRef', 'configMapKeyRef', 'secretKeyRef'];
  return [...both, ...oneOf(`${path}.valueFrom`, variable.valueFrom, sources)];
}

function envFromProblems(from: EnvFrom, path: string): readonly Problem[] {
  return oneOf(path, from, ['configMapRef', 'secretRef']);
}

function signalProblems(stopSignal: string | undefined): readonly Problem[] {
  if (stopSignal === undefined) return [];
  try {
    parseSignal(stopSignal);
    return [];
  } catch (error) {
    return [{ path: 'spec.stopSignal', rule: errorMessage(error) }];
  }
}

function securityProblems(security: SecurityContext): readonly Problem[] {
  const path = 'spec.securityContext';
  return [
    ...capabilityProblems(security.capabilities?.add ?? [], `${path}.capabilities.add`),
    ...capabilityProblems(security.capabilities?.drop ?? [], `${path}.capabilities.drop`),
    ...profileProblems(security.seccompProfile, `${path}.seccompProfile`),
    ...profileProblems(security.appArmorProfile, `${path}.appArmorProfile`),
    ...(security.runAsNonRoot && security.runAsUser === 0
      ? [{ path: `${path}.runAsUser`, rule: 'must not be 0 with runAsNonRoot: name another user' }]
      : []),
    ...(security.privileged && security.allowPrivilegeEscalation === false
      ? [{ path: `${path}.allowPrivilegeEscalation`, rule: 'must not be false with privileged: remove one of them' }]
      : []),
  ];
}

function capabilityProblems(names: readonly string[], path: string): readonly Problem[] {
  return names.flatMap((name, index) =>
    name === 'ALL' || parseCapability(name)
      ? []
      : [{ path: `${path}[${index}]`, rule: 'is no capability of Linux: write a name such as NET_ADMIN, or ALL' }],
  );
}

function profileProblems(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  path: string,
): readonly Problem[] {
  const named = profile?.localhostProfile !== undefined;
  if (profile?.type === 'Localhost' && !named) {
    return [{ path: `${path}.localhostProfile`, rule: 'is required with type Localhost' }];
  }
  return named && profile?.type !== 'Localhost'
    ? [{ path: `${path}.localhostProfile`, rule: 'goes with type Localhost only: remove it' }]
    : [];
}
