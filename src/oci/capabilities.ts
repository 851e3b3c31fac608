/** Every capability of Linux in the order of its bits (capabilities(7), linux/capability.h as of 5.9). */
export const allCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof allCapabilities)[number];

/** What a container has that asks for nothing: the eleven that podman gives too. */
export const defaultCapabilities: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_SETFCAP',
];

/** `NET_ADMIN`, `cap_net_admin` and `CAP_NET_ADMIN` are one; undefined for what is no capability. */
export function parseCapability(text: string): Capability | undefined {
  const name = text.toUpperCase();
  const full = name.startsWith('CAP_') ? name : `CAP_${name}`;
  return allCapabilities.find((capability) => capability === full);
}

/**
 * `base` with what is added and without what is dropped. As in a Pod a single name beats ALL, and where both lists say the
 * same, drop wins. Unknown names count for nothing: validation has refused them.
 */
export function resolveCapabilities(
  base: readonly Capability[],
  change: { readonly add?: readonly string[]; readonly drop?: readonly string[] },
): readonly Capability[] {
  const { add = [], drop = [] } = change;
  const added = new Set(add.map(parseCapability));
  const dropped = new Set(drop.map(parseCapability));
  const start = new Set<Capability>(hasAll(drop) ? [] : hasAll(add) ? allCapabilities : base);
  return allCapabilities.filter((name) => (start.has(name) || added.has(name)) && !dropped.has(name));
}

function hasAll(names: readonly string[]): boolean {
  return names.some((name) => name.toUpperCase() === 'ALL');
}
