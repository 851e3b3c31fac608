import { allCapabilities } from './capabilities.ts';
import type { Capability } from './capabilities.ts';
import { defaultDeviceRules, everyDevice } from './devices.ts';
import type {
  CapabilitiesSpec,
  DeviceSpec,
  LinuxResources,
  LinuxSpec,
  MountSpec,
  NamespaceSpec,
  RlimitSpec,
  RuntimeSpec,
  SeccompSpec,
  UserSpec,
} from './runtime-spec.ts';

/** What a container wants; what it does not say is the safe choice. */
export interface SpecRequest {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: UserSpec;
  readonly terminal: boolean;
  /** `rootfs` in the bundle, or an absolute path. */
  readonly rootPath: string;
  readonly readOnlyRoot: boolean;
  /** Absent: the node's own, as a container with the node's network has it. */
  readonly hostname?: string | undefined;
  readonly cgroupsPath?: string;
  /** `none` is a network namespace of its own with only a loopback interface, which the runtime brings up. */
  readonly network: 'none' | 'host';
  readonly capabilities: readonly Capability[];
  readonly noNewPrivileges: boolean;
  /** Undefined: unconfined. */
  readonly seccomp?: SeccompSpec | undefined;
  readonly appArmorProfile?: string | undefined;
  /** Nothing of /proc and /sys is hidden or read-only. */
  readonly unmasked: boolean;
  /** Every device may be used, `devices` are there, /sys and cgroups may be written. Implies unmasked. */
  readonly privileged: boolean;
  readonly devices?: readonly DeviceSpec[] | undefined;
  /** Mounted after the usual ones, outer folders first. */
  readonly mounts: readonly MountSpec[];
  readonly resources: LinuxResources;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Most open files: what systemd gives to services, low for old programs that close each, high for those that ask. */
const openFiles = { soft: 1024, hard: 524_288 };

/** No core dumps: they would fill the upper layer with what the task had in memory. */
const rlimits: readonly RlimitSpec[] = [
  { type: 'RLIMIT_NOFILE', ...openFiles },
  { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
];

/** What /proc and /sys tell of the machine, its keys and its power, which side channels are made of. */
const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  '/sys/fs/selinux',
];

const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** A specification that is safe by default: own namespaces, few capabilities, no way to more. */
export function defaultSpec(request: SpecRequest): RuntimeSpec {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: request.terminal,
      user: request.user,
      args: request.args,
      env: request.env,
      cwd: request.cwd,
      capabilities: capabilitySets(request.capabilities),
      rlimits,
      noNewPrivileges: request.noNewPrivileges,
      // Not the agent's own, which may be so low that a task would outlive what watches it.
      oomScoreAdj: 0,
      ...(request.appArmorProfile === undefined ? {} : { apparmorProfile: request.appArmorProfile }),
    },
    root: { path: request.rootPath, readonly: request.readOnlyRoot },
    ...(request.hostname === undefined ? {} : { hostname: request.hostname }),
    mounts: allMounts(usualMounts(request.privileged), request.mounts),
    ...(request.annotations ? { annotations: request.annotations } : {}),
    linux: linuxSpec(request),
  };
}

function linuxSpec(request: SpecRequest): LinuxSpec {
  const hidden = !request.unmasked && !request.privileged;
  return {
    namespaces: namespaces(request.network),
    ...(request.cgroupsPath === undefined ? {} : { cgroupsPath: request.cgroupsPath }),
    resources: {
      ...request.resources,
      devices: request.privileged ? everyDevice : defaultDeviceRules,
    },
    ...(request.devices ? { devices: request.devices } : {}),
    ...(request.seccomp ? { seccomp: request.seccomp } : {}),
    ...(hidden ? { maskedPaths, readonlyPaths } : {}),
  };
}

/** Inheritable and ambient stay empty: a program of another user does not inherit what root has. */
function capabilitySets(capabilities: readonly Capability[]): CapabilitiesSpec {
  const names = allCapabilities.filter((name) => capabilities.includes(name));
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function namespaces(network: 'none' | 'host'): readonly NamespaceSpec[] {
  const own = ['pid', 'ipc', 'uts', 'mount', 'cgroup'] as const;
  return [...own, ...(network === 'none' ? (['network'] as const) : [])].map((type) => ({ type }));
}

/** Each after those that it lies in; a mount of the request's own takes the place of a usual one. */
function allMounts(usual: readonly MountSpec[], own: readonly MountSpec[]): readonly MountSpec[] {
  const taken = new Set(own.map((mount) => mount.destination));
  return [
    ...usual.filter((mount) => !taken.has(mount.destination)),
    ...own.toSorted((left, right) => depth(left) - depth(right)),
  ];
}

function depth(mount: MountSpec): number {
  return mount.destination.split('/').filter((part) => part !== '').length;
}

const quiet = ['nosuid', 'noexec', 'nodev'] as const;

function usualMounts(writable: boolean): readonly MountSpec[] {
  const access = writable ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: [...quiet] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      // Not noexec: programs map /dev/zero to run what they write there.
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      // Group 5 is tty on every distribution; the terminal's group decides who may write(1) to it.
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...quiet, 'mode=1777', 'size=65536k'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: [...quiet] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...quiet, 'relatime', access] },
  ];
}
