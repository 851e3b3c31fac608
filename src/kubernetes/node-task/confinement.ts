import { TerminalError } from '#errors/errors.ts';
import { allCapabilities, defaultCapabilities, resolveCapabilities } from '#oci/capabilities.ts';
import type { Capability } from '#oci/capabilities.ts';
import type { SpecRequest } from '#oci/default-spec.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { SeccompSpec } from '#oci/runtime-spec.ts';
import { defaultSeccomp } from '#oci/seccomp.ts';
import type { SecurityContext } from './types.ts';

/** What `spec.securityContext` lets a task do, in the words of the default specification. */
export type Confinement = Pick<
  SpecRequest,
  'appArmorProfile' | 'capabilities' | 'noNewPrivileges' | 'privileged' | 'readOnlyRoot' | 'seccomp' | 'unmasked'
> & { readonly warnings: readonly string[] };

/** Pure. `localSeccomp` is the file of a Localhost profile. Throws TerminalError when it is missing. */
export function confine(security: SecurityContext, machine: MachineLimits, localSeccomp?: SeccompSpec): Confinement {
  const { privileged = false, procMount, readOnlyRootFilesystem = false } = security;
  const capabilities = capabilitiesOf(security, machine);
  return {
    privileged,
    readOnlyRoot: readOnlyRootFilesystem,
    noNewPrivileges: !(security.allowPrivilegeEscalation ?? privileged),
    unmasked: procMount === 'Unmasked',
    capabilities,
    seccomp: seccompOf(security, () => defaultSeccomp(capabilities, machine.architecture), localSeccomp),
    ...appArmorOf(security, machine.appArmorProfiles),
  };
}

function capabilitiesOf(security: SecurityContext, machine: MachineLimits): readonly Capability[] {
  if (security.privileged) return machine.capabilities;
  // "Every one" is every one that there is to give; what is named one by one and missing is told.
  const { add = [], drop = [] } = security.capabilities ?? {};
  const resolved = resolveCapabilities(defaultCapabilities, { add, drop });
  if (!add.some((name) => name === 'ALL')) return resolved;
  return allCapabilities.filter((name) => resolved.includes(name) && machine.capabilities.includes(name));
}

function seccompOf(
  { privileged, seccompProfile }: SecurityContext,
  usual: () => SeccompSpec,
  local: SeccompSpec | undefined,
): SeccompSpec | undefined {
  const type = seccompProfile?.type ?? 'RuntimeDefault';
  if (privileged || type === 'Unconfined') return undefined;
  if (type === 'RuntimeDefault') return usual();
  if (local) return local;
  throw new TerminalError('InvalidSpec', 'spec.securityContext.seccompProfile.localhostProfile: there is no such file');
}

/** Profiles for containers that other programs of the node may have loaded, ours to use. */
const usualProfiles = /^(?:cri-containerd\.apparmor\.d|crio-default|docker-default|containers-default-[\d.]+)$/;

function appArmorOf(
  { appArmorProfile, privileged }: SecurityContext,
  loaded: readonly string[] | undefined,
): Pick<Confinement, 'appArmorProfile' | 'warnings'> {
  const type = appArmorProfile?.type ?? (privileged ? 'Unconfined' : undefined);
  if (type === 'Localhost') return { appArmorProfile: appArmorProfile?.localhostProfile, warnings: [] };
  if (type === 'Unconfined') return { appArmorProfile: loaded && 'unconfined', warnings: [] };
  const usual = loaded?.find((name) => usualProfiles.test(name));
  const warnings =
    type === 'RuntimeDefault' && !usual
      ? ['tasks run without AppArmor: no profile for containers is loaded on this node']
      : [];
  return { appArmorProfile: usual, warnings };
}
