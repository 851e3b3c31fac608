import { defaultDeviceRules } from '#oci/devices.ts';
import { defaultSpec } from '#oci/default-spec.ts';
import type { CapabilitiesSpec, LinuxSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Problem } from '../node-task/problem.ts';
import type { NodeTask } from '../node-task/types.ts';

/** One rule of a level: what of a task, and of the specification that it would run as, lies outside. */
export type LevelRule = (task: NodeTask, spec: RuntimeSpec) => readonly Problem[];

/** What may be had under baseline (Pod Security Standards, "Capabilities"); NET_RAW is not among it. */
const baselineCapabilities: ReadonlySet<string> = new Set(
  [
    ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
    ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
  ].map((name) => `CAP_${name}`),
);

/** Kernel settings that are counted by namespace and safe to change (Pod Security Standards, "Sysctls"). */
const safeSysctls: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  ...[
    ...['ip_local_port_range', 'tcp_syncookies', 'ping_group_range', 'ip_unprivileged_port_start'],
    ...['ip_local_reserved_ports', 'tcp_keepalive_time', 'tcp_fin_timeout', 'tcp_keepalive_intvl'],
    ...['tcp_keepalive_probes', 'tcp_rmem', 'tcp_wmem', 'tcp_slow_start_after_idle', 'tcp_notsent_lowat'],
  ].map((name) => `net.ipv4.${name}`),
]);

/** Namespaces that a task must have for itself: without one it is in the node's own. */
const ownNamespaces = ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'network'] as const;

/** Types of mounts that hold nothing of the node; `cgroup` and `sysfs` only to read. */
const harmlessMounts: ReadonlySet<string> = new Set(['proc', 'tmpfs', 'devpts', 'mqueue', 'sysfs', 'cgroup']);

const security = 'spec.securityContext';

/** What `baseline` asks, and `restricted` with it. */
export const baselineRules: readonly LevelRule[] = [
  ({ spec }) => (spec.rootfs ? [{ path: 'spec.rootfs', rule: 'needs level privileged: name an image' }] : []),
  ({ spec }) =>
    (spec.volumes ?? []).flatMap(({ hostPath }, index) =>
      hostPath ? [{ path: `spec.volumes[${index}].hostPath`, rule: 'needs level privileged' }] : [],
    ),
  ({ spec }) =>
    spec.securityContext?.privileged ? [{ path: `${security}.privileged`, rule: 'needs level privileged' }] : [],
  namespaceProblems,
  (_, spec) => capabilityProblems(spec, baselineCapabilities),
  seccompProblems,
  (_, { process }) =>
    process?.apparmorProfile === 'unconfined'
      ? [{ path: `${security}.appArmorProfile.type`, rule: 'must not be Unconfined' }]
      : [],
  (_, { linux }) => (hides(linux) ? [] : [{ path: `${security}.procMount`, rule: 'must be Default' }]),
  deviceProblems,
  mountProblems,
  foreignProblems,
];

/** Whether all that a task may have is among what is allowed. The two sets that outlive a change of user stay empty. */
export function capabilityProblems({ process }: RuntimeSpec, allowed: ReadonlySet<string>): readonly Problem[] {
  const {
    bounding = [],
    effective = [],
    permitted = [],
    inheritable = [],
    ambient = [],
  }: CapabilitiesSpec = process?.capabilities ?? {};
  const held = new Set([...bounding, ...effective, ...permitted, ...inheritable, ...ambient]);
  const refused = [...held].filter((name) => !allowed.has(name));
  const inherited = inheritable.length + ambient.length > 0;
  return [
    ...(refused.length > 0 ? [{ path: `${security}.capabilities.add`, rule: `must not give ${shown(refused)}` }] : []),
    ...(inherited ? [{ path: `${security}.capabilities`, rule: 'must not be inheritable or ambient' }] : []),
  ];
}

function shown(names: readonly string[]): string {
  const few = 5;
  const more = names.length > few ? ` and ${names.length - few} more` : '';
  return `${names
    .slice(0, few)
    .map((name) => name.replace(/^CAP_/, ''))
    .join(', ')}${more}`;
}

function namespaceProblems(_: NodeTask, { linux }: RuntimeSpec): readonly Problem[] {
  const own = new Set((linux?.namespaces ?? []).filter(({ path }) => path === undefined).map(({ type }) => type));
  return ownNamespaces
    .filter((type) => !own.has(type))
    .map((type) =>
      type === 'network'
        ? { path: 'spec.network.mode', rule: 'must be None: the node’s network needs level privileged' }
        : { path: 'spec', rule: `must not share the node’s ${type} namespace` },
    );
}

/** A kernel that has no seccomp leaves the field to be judged. */
function seccompProblems({ spec: { securityContext } }: NodeTask, { linux }: RuntimeSpec): readonly Problem[] {
  const unconfined = securityContext?.seccompProfile?.type === 'Unconfined';
  return unconfined || (linux?.seccomp && linux.seccomp.defaultAction === 'SCMP_ACT_ALLOW' && !linux.seccomp.syscalls)
    ? [{ path: `${security}.seccompProfile.type`, rule: 'must not be Unconfined' }]
    : [];
}

const usual = defaultSpec({
  ...{
    args: [],
    env: [],
    cwd: '/',
    user: { uid: 0, gid: 0 },
    terminal: false,
    rootPath: 'rootfs',
    readOnlyRoot: false,
  },
  ...{ network: 'none', capabilities: [], noNewPrivileges: true, unmasked: false, privileged: false },
  ...{ mounts: [], resources: {} },
}).linux;

/** Whether what /proc and /sys tell of the machine is hidden as usual. */
function hides(linux: LinuxSpec | undefined): boolean {
  const masked = new Set(linux?.maskedPaths);
  const readonly = new Set(linux?.readonlyPaths);
  return (
    (usual?.maskedPaths ?? []).every((path) => masked.has(path)) &&
    (usual?.readonlyPaths ?? []).every((path) => readonly.has(path) || masked.has(path))
  );
}

function deviceProblems(_: NodeTask, { linux }: RuntimeSpec): readonly Problem[] {
  const known = new Set(defaultDeviceRules.map((rule) => JSON.stringify(rule)));
  const others = (linux?.resources?.devices ?? []).some((rule) => rule.allow && !known.has(JSON.stringify(rule)));
  return others || (linux?.devices ?? []).length > 0
    ? [{ path: 'spec', rule: 'must use no device of the node but the usual ones' }]
    : [];
}

/** Volumes are judged by the task's fields; these are the mounts that every task has. */
function mountProblems(_: NodeTask, { mounts = [] }: RuntimeSpec): readonly Problem[] {
  return mounts
    .filter(({ type = '', options = [] }) => {
      if (!harmlessMounts.has(type)) return true;
      return (type === 'sysfs' || type === 'cgroup') && !options.includes('ro');
    })
    .map(({ destination }) => ({ path: 'spec', rule: `must not mount the node’s own at ${destination}` }));
}

/** What no field of a NodeTask leads to: here so that a fault elsewhere does not open it. */
function foreignProblems(_: NodeTask, { hooks, linux, process }: RuntimeSpec): readonly Problem[] {
  const sysctls = Object.keys(linux?.sysctl ?? {}).filter((name) => !safeSysctls.has(name));
  const found = [
    ...(Object.keys(hooks ?? {}).length > 0 ? ['hooks'] : []),
    ...sysctls.map((name) => `sysctl ${name}`),
    ...(linux?.rootfsPropagation === undefined ? [] : ['rootfsPropagation']),
    ...(linux?.resources?.unified === undefined ? [] : unifiedOf(linux.resources.unified)),
    ...(process?.selinuxLabel === undefined ? [] : ['selinuxLabel']),
  ];
  return found.map((what) => ({ path: 'spec', rule: `must not set ${what}` }));
}

/** Files of cgroup v2 that only limit; how a task's processes are put in order is the agent's. */
function unifiedOf(unified: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(unified)
    .filter((name) => !/^(?:memory|io|cpu|cpuset|pids|hugetlb)\.[a-zA-Z0-9.]+$/.test(name))
    .map((name) => `unified ${name}`);
}
