/**
 * The parts of an OCI runtime specification that runlet reads or writes. What it does not know it hands on untouched, so
 * every object may hold more than is declared here. Format: opencontainers/runtime-spec 1.0.2, config.md and config-linux.md.
 */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process?: ProcessSpec;
  readonly root?: { readonly path: string; readonly readonly?: boolean };
  readonly hostname?: string;
  readonly mounts?: readonly MountSpec[];
  readonly hooks?: Readonly<Record<string, readonly HookSpec[]>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: LinuxSpec;
}

export interface ProcessSpec {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user?: UserSpec;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: CapabilitiesSpec;
  readonly rlimits?: readonly RlimitSpec[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
}

export interface UserSpec {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

export interface CapabilitiesSpec {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

export interface RlimitSpec {
  readonly type: string;
  readonly hard: number;
  readonly soft: number;
}

export interface MountSpec {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
}

export interface HookSpec {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
}

export interface LinuxSpec {
  readonly namespaces?: readonly NamespaceSpec[];
  readonly uidMappings?: readonly IdMappingSpec[];
  readonly gidMappings?: readonly IdMappingSpec[];
  readonly devices?: readonly DeviceSpec[];
  readonly cgroupsPath?: string;
  readonly resources?: LinuxResources;
  readonly rootfsPropagation?: string;
  readonly seccomp?: SeccompSpec;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: object;
}

export interface NamespaceSpec {
  readonly type: 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';
  readonly path?: string;
}

export interface IdMappingSpec {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface DeviceSpec {
  readonly type: string;
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface LinuxResources {
  readonly devices?: readonly DeviceCgroupRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    readonly swap?: number;
    readonly kernel?: number;
    readonly kernelTCP?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
    readonly useHierarchy?: boolean;
    readonly checkBeforeUpdate?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly burst?: number;
    readonly period?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
    readonly idle?: number;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIoSpec;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly network?: object;
  readonly rdma?: object;
  /** cgroup v2 only: file name → what is written into it. */
  readonly unified?: Readonly<Record<string, string>>;
}

export interface DeviceCgroupRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
}

export interface BlockIoSpec {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly {
    readonly major: number;
    readonly minor: number;
    readonly weight?: number;
    readonly leafWeight?: number;
  }[];
  readonly throttleReadBpsDevice?: readonly ThrottleSpec[];
  readonly throttleWriteBpsDevice?: readonly ThrottleSpec[];
  readonly throttleReadIOPSDevice?: readonly ThrottleSpec[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleSpec[];
}

export interface ThrottleSpec {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface SeccompSpec {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}
