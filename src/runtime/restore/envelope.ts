import { allCapabilities } from '#oci/capabilities.ts';
import type { CapabilitiesSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import { capabilitySets, type CapabilitySet, type ThreadRights } from './rights.ts';

/** The most that a thread of a task may ever come to by itself, as the task's specification confines it. */
export interface Envelope {
  readonly capabilities: Readonly<Record<CapabilitySet, bigint>>;
  /** Undefined: it may become any user. */
  readonly uid: number | undefined;
  /** Undefined: any group. */
  readonly groups: ReadonlySet<number> | undefined;
  readonly noNewPrivileges: boolean;
  readonly seccomp: boolean;
  /** What `/proc/PID/attr/current` must say; undefined: anything. */
  readonly securityLabel: string | undefined;
}

/** How a thread lies outside its envelope. */
export interface Excess {
  /** The kernel's word for it, such as `CapBnd`. */
  readonly field: string;
  /** What it has that it may not have, or lacks, as the end of a sentence. */
  readonly what: string;
}

/** A specification's envelope. Pure. */
export function envelopeOf({ process, linux }: RuntimeSpec): Envelope {
  const sets: CapabilitiesSpec = process?.capabilities ?? {};
  const noNewPrivileges = process?.noNewPrivileges === true;
  const permitted = toMask(sets.permitted) | toMask(sets.ambient);
  // A set-id program or one with capabilities of its own may bring all that is bounded, unless nothing may be gained.
  const reachable = permitted | toMask(sets.bounding) | toMask(sets.inheritable);
  const held = noNewPrivileges ? permitted : reachable;
  const may = (name: Capability) => !noNewPrivileges || (permitted & bitOf(name)) !== 0n;
  const host = (id: number, map: keyof NonNullable<RuntimeSpec['linux']> & `${'u' | 'g'}idMappings`) =>
    toHost(id, linux?.[map]);
  const { uid = 0, gid = 0, additionalGids = [] } = process?.user ?? {};
  return {
    capabilities: {
      CapBnd: toMask(sets.bounding),
      CapPrm: held,
      CapEff: held,
      CapInh: reachable,
      CapAmb: reachable,
    },
    uid: may('CAP_SETUID') ? undefined : host(uid, 'uidMappings'),
    groups: may('CAP_SETGID')
      ? undefined
      : new Set([gid, ...additionalGids].map((each) => host(each, 'gidMappings') ?? each)),
    noNewPrivileges,
    seccomp: linux?.seccomp !== undefined,
    securityLabel: labelOf(process?.apparmorProfile, process?.selinuxLabel),
  };
}

type Capability = (typeof allCapabilities)[number];

/** How a thread exceeds it; none when it keeps within. Pure. */
export function excesses(envelope: Envelope, rights: ThreadRights): readonly Excess[] {
  return [
    ...capabilityExcesses(envelope, rights),
    ...userExcesses(envelope, rights),
    ...(envelope.noNewPrivileges && !rights.noNewPrivileges
      ? [{ field: 'NoNewPrivs', what: 'is 0: it could gain rights by a program that it runs' }]
      : []),
    ...(envelope.seccomp && (rights.seccompMode !== 2 || rights.seccompFilters === 0)
      ? [{ field: 'Seccomp', what: `is ${rights.seccompMode}: no filter holds it` }]
      : []),
  ];
}

/** Whether a security module confines it as it should: `label` is `/proc/PID/attr/current`. Pure. */
export function labelExcesses({ securityLabel }: Envelope, label: string | undefined): readonly Excess[] {
  if (securityLabel === undefined || label === securityLabel) return [];
  return [{ field: 'attr/current', what: `is ${label ?? 'absent'}, not ${securityLabel}` }];
}

function capabilityExcesses(envelope: Envelope, rights: ThreadRights): readonly Excess[] {
  return capabilitySets.flatMap((set) => {
    const more = rights.capabilities[set] & ~envelope.capabilities[set];
    return more === 0n ? [] : [{ field: set, what: `holds ${names(more)}` }];
  });
}

function userExcesses({ uid, groups }: Envelope, rights: ThreadRights): readonly Excess[] {
  const user = uid === undefined ? undefined : rights.uids.find((each) => each !== uid);
  const group = groups && [...rights.gids, ...rights.groups].find((each) => !groups.has(each));
  return [
    ...(user === undefined ? [] : [{ field: 'Uid', what: `is ${user}, not ${uid}` }]),
    ...(group === undefined
      ? []
      : [{ field: rights.gids.includes(group) ? 'Gid' : 'Groups', what: `holds group ${group}` }]),
  ];
}

/** At most this many are named: a message is one sentence. */
const mostNames = 5;

function names(mask: bigint): string {
  const held = allCapabilities.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
  const unknown = mask >> BigInt(allCapabilities.length) === 0n ? [] : ['unknown ones'];
  const all = [...held.map((name) => name.replace(/^CAP_/, '')), ...unknown];
  const more = all.length > mostNames ? ` and ${all.length - mostNames} more` : '';
  return `${all.slice(0, mostNames).join(', ')}${more}`;
}

function toMask(capabilities: readonly string[] = []): bigint {
  return capabilities.reduce((mask, name) => mask | bitOf(name), 0n);
}

function bitOf(name: string): bigint {
  const bit = allCapabilities.findIndex((capability) => capability === name);
  return bit < 0 ? 0n : 1n << BigInt(bit);
}

/** An id as the node sees it; undefined where the specification does not map it. */
function toHost(id: number, mappings: NonNullable<RuntimeSpec['linux']>['uidMappings']): number | undefined {
  if (!mappings || mappings.length === 0) return id;
  const range = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range && range.hostID + id - range.containerID;
}

/** AppArmor says how strictly it holds; SELinux's label stands alone. */
function labelOf(appArmor: string | undefined, seLinux: string | undefined): string | undefined {
  if (seLinux !== undefined && seLinux !== '') return seLinux;
  return appArmor === undefined || appArmor === '' || appArmor === 'unconfined' ? undefined : `${appArmor} (enforce)`;
}
