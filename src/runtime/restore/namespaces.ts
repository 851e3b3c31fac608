import type { NamespaceSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Excess } from './envelope.ts';

/** OCI's word for each of the kernel's `/proc/PID/ns/` links. */
const namespaceLinks = {
  mnt: 'mount',
  pid: 'pid',
  net: 'network',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
} as const satisfies Record<string, NamespaceSpec['type']>;

export type NamespaceLink = keyof typeof namespaceLinks;
export const namespaceNames = Object.keys(namespaceLinks) as readonly NamespaceLink[];

/** Link → what it leads to, such as `pid:[4026531836]`; absent where the kernel has none. */
export type Namespaces = Readonly<Partial<Record<NamespaceLink, string>>>;

export interface NamespaceFacts {
  readonly own: Namespaces;
  /** Those of the task's first process. */
  readonly first: Namespaces;
  /** Those of the node's process 1 and of this agent: no task that is to have its own is in one of them. */
  readonly foreign: readonly Namespaces[];
  /** The user namespace of who restores: that of a task without one of its own. */
  readonly user: string | undefined;
}

/**
 * How a process's namespaces are not those of its task's specification: in the node's where it is to have its own, or in a
 * user namespace of its own making, where it has every capability. Pure.
 */
export function namespaceExcesses(
  { linux }: RuntimeSpec,
  { own, first, foreign, user }: NamespaceFacts,
): readonly Excess[] {
  const isolated = new Set((linux?.namespaces ?? []).map(({ type }) => type));
  return namespaceNames.flatMap((link) => {
    const at = own[link];
    if (at === undefined) return [];
    const field = `ns/${link}`;
    if (isolated.has(namespaceLinks[link]) && foreign.some((one) => one[link] === at))
      return [{ field, what: 'is the node’s' }];
    if (link === 'user' && (at !== first.user || (!isolated.has('user') && at !== user))) {
      return [{ field, what: 'is one of its own' }];
    }
    return [];
  });
}
