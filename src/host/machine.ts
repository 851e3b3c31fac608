import { existsSync, listFoldersSync, listNamesSync, readTextSync } from './files.ts';
import { readMounts } from './mounts.ts';

/** Where the kernel's files are, so that tests can show others. */
export interface MachineRoots {
  readonly proc: string;
  readonly sys: string;
}

/** What the kernel says about itself and about this process. `oci/machine.ts` says what each fact means for a container. */
export interface MachineFacts {
  readonly architecture: 'amd64' | 'arm64';
  /** Bit n is set when this process has capability n in its effective and bounding sets. */
  readonly capabilityBits: bigint;
  readonly seccomp: boolean;
  readonly appArmorProfiles?: readonly string[];
  readonly oomScoreAdj: number;
  readonly hardLimits: Readonly<Record<string, number>>;
  readonly cgroup: {
    readonly version: 1 | 2;
    readonly controllers: readonly string[];
    readonly swap: boolean;
    readonly ioWeightFile?: 'blkio.weight' | 'blkio.bfq.weight' | 'io.weight' | 'io.bfq.weight';
    readonly hugePageSizes: readonly string[];
    readonly cpus: string;
    readonly mems: string;
  };
}

const realRoots: MachineRoots = { proc: '/proc', sys: '/sys' };

/** Reads it anew: a few dozen small files, 1 to 2 ms. What cannot be read counts as absent. */
export function readMachineFacts(roots: MachineRoots = realRoots): MachineFacts {
  const status = readTextSync(`${roots.proc}/self/status`) ?? '';
  const profiles = readAppArmorProfiles(roots);
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    capabilityBits: statusBits(status, 'CapEff') & statusBits(status, 'CapBnd'),
    // The line is there when the kernel was built with seccomp; the filter mode also needs its list of actions.
    seccomp: /^Seccomp:/m.test(status) && existsSync(`${roots.proc}/sys/kernel/seccomp/actions_avail`),
    ...(profiles ? { appArmorProfiles: profiles } : {}),
    oomScoreAdj: Number(readTextSync(`${roots.proc}/self/oom_score_adj`)?.trim() ?? 0),
    hardLimits: parseHardLimits(readTextSync(`${roots.proc}/self/limits`) ?? ''),
    cgroup: readCgroupFacts(roots),
  };
}

function statusBits(status: string, field: string): bigint {
  const digits = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1];
  return digits ? BigInt(`0x${digits}`) : 0n;
}

/** The first word of each line is the profile's name, its mode in brackets is last. */
function readAppArmorProfiles(roots: MachineRoots): readonly string[] | undefined {
  if (readTextSync(`${roots.sys}/module/apparmor/parameters/enabled`)?.trim() !== 'Y') return undefined;
  const text = readTextSync(`${roots.sys}/kernel/security/apparmor/profiles`) ?? '';
  return text.split('\n').flatMap((line) => (line ? [line.replace(/ \([a-z]+\)$/, '')] : []));
}

/** Names in `/proc/PID/limits` (proc(5)) → RLIMIT_… of setrlimit(2). */
const limitNames: Readonly<Record<string, string>> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
};

/** The hard limits of `/proc/PID/limits`; what is unlimited is absent. */
export function parseHardLimits(text: string): Readonly<Record<string, number>> {
  const limits: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, name = '', hard = ''] = /^(Max [a-z ]+?)\s{2,}\S+\s+(\d+|unlimited)/.exec(line) ?? [];
    const limit = limitNames[name];
    if (limit && hard !== 'unlimited') limits[limit] = Number(hard);
  }
  return limits;
}

function readCgroupFacts(roots: MachineRoots): MachineFacts['cgroup'] {
  const mounts = readMounts(`${roots.proc}/self/mountinfo`);
  const controllers = mounts.filter((entry) => entry.type === 'cgroup');
  const where = { cpus: readList(roots, 'cpu/online'), mems: readList(roots, 'node/online') };
  if (!controllers.some((entry) => entry.superOptions.some((option) => option === 'memory' || option === 'cpu'))) {
    const root = mounts.find((entry) => entry.type === 'cgroup2')?.mountPoint ?? `${roots.sys}/fs/cgroup`;
    return { ...readUnified(root, roots), ...where };
  }
  const placeOf = (name: string) => controllers.find((entry) => entry.superOptions.includes(name))?.mountPoint;
  return { ...readVersion1(placeOf), ...where };
}

const version1Controllers = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'blkio', 'devices', 'freezer', 'hugetlb'];

function readVersion1(
  placeOf: (controller: string) => string | undefined,
): Omit<MachineFacts['cgroup'], 'cpus' | 'mems'> {
  const blkio = placeOf('blkio');
  const weight = blkio ? fileBelow(blkio, ['blkio.weight', 'blkio.bfq.weight']) : undefined;
  const memory = placeOf('memory');
  const hugetlb = placeOf('hugetlb');
  return {
    version: 1,
    controllers: version1Controllers.filter((name) => placeOf(name) !== undefined),
    swap: memory !== undefined && existsSync(`${memory}/memory.memsw.limit_in_bytes`),
    ...(weight ? { ioWeightFile: weight } : {}),
    hugePageSizes: hugetlb ? pageSizes(hugetlb, /^hugetlb\.(\w+)\.limit_in_bytes$/) : [],
  };
}

function readUnified(root: string, roots: MachineRoots): Omit<MachineFacts['cgroup'], 'cpus' | 'mems'> {
  const weight = fileBelow(root, ['io.weight', 'io.bfq.weight']);
  return {
    version: 2,
    controllers: readTextSync(`${root}/cgroup.controllers`)?.trim().split(/\s+/) ?? [],
    // The root has no limits. Every v2 kernel counts swap unless it was built or booted without swap.
    swap: existsSync(`${roots.proc}/swaps`) && !/\bswapaccount=0\b/.test(readTextSync(`${roots.proc}/cmdline`) ?? ''),
    ...(weight ? { ioWeightFile: weight } : {}),
    hugePageSizes: listFoldersSync(root)
      .slice(0, 1)
      .flatMap((child) => pageSizes(`${root}/${child}`, /^hugetlb\.(\w+)\.max$/)),
  };
}

/** Files for limits are not in the root of v2, so its children are looked at as well. */
function fileBelow<T extends string>(root: string, names: readonly T[]): T | undefined {
  const folders = [root, ...listFoldersSync(root).map((name) => `${root}/${name}`)];
  return names.find((name) => folders.some((folder) => existsSync(`${folder}/${name}`)));
}

function pageSizes(folder: string, file: RegExp): readonly string[] {
  return listNamesSync(folder).flatMap((name) => file.exec(name)?.[1] ?? []);
}

function readList(roots: MachineRoots, file: string): string {
  return readTextSync(`${roots.sys}/devices/system/${file}`)?.trim() ?? '0';
}
