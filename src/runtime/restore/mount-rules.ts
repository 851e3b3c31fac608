import type { MountSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Excess } from './envelope.ts';

/** A mount in a task's mount namespace. */
export interface SeenMount {
  readonly mountPoint: string;
  readonly type: string;
  /** The mount's own options, such as `ro` and `nosuid`. */
  readonly options: readonly string[];
  /** `device:inode` of what is there; undefined where nobody can tell. */
  readonly file?: string;
  /** Whether that is the null device. */
  readonly isNull?: boolean;
}

export interface MountFacts {
  /** In the order in which they were made. */
  readonly mounts: readonly SeenMount[];
  /** Of the task's root file system on the node. */
  readonly rootFile: string | undefined;
  /** A destination of the specification → where it is, once the links in the root file system have been followed. */
  readonly resolved: (destination: string) => string;
  /** Source of a bind mount → `device:inode` of it. */
  readonly sourceFile: (source: string) => string | undefined;
  /** Whether there is something at a path inside the task. */
  readonly exists: (path: string) => boolean;
}

/** Options that confine: where the specification has one, the mount has it. */
const confining = ['ro', 'nosuid', 'nodev', 'noexec'];

/** The devices that every runtime makes; in a user namespace they are mounts. */
const usualDevices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'console', 'ptmx'].map(
  (name) => `/dev/${name}`,
);

/**
 * How what is mounted in a task is not what its specification says. Pure. Who may mount for himself is not asked: with
 * CAP_SYS_ADMIN he could have done it.
 */
export function mountExcesses(spec: RuntimeSpec, facts: MountFacts): readonly Excess[] {
  if (spec.process?.capabilities?.bounding?.includes('CAP_SYS_ADMIN')) return [];
  const top = new Map(facts.mounts.map((mount) => [mount.mountPoint, mount]));
  const wanted = wantedMounts(spec, facts);
  return [
    ...rootExcesses(spec, top.get('/'), facts),
    ...wanted.flatMap((mount) => wantedExcesses(mount, top.get(mount.at), facts)),
    ...belowReadOnly(wanted, facts).map((at) => excess(at, 'can be written')),
    ...hiddenExcesses(spec, top, facts),
    ...strangers(spec, wanted, facts),
  ];
}

/**
 * Where CRIU has left out that a mount is read-only, as it does with the root file system and with cgroups: to be made good
 * before the task is judged. Pure.
 */
export function lostReadOnly(spec: RuntimeSpec, facts: MountFacts): readonly string[] {
  const top = new Map(facts.mounts.map((mount) => [mount.mountPoint, mount]));
  const wanted = wantedMounts(spec, facts);
  const places = [
    ...(spec.root?.readonly === true ? ['/'] : []),
    ...wanted.filter(({ options }) => options?.includes('ro')).map(({ at }) => at),
    ...(spec.linux?.readonlyPaths ?? []),
  ];
  const lost = places.filter((at) => top.get(at)?.options.includes('ro') === false);
  return [...new Set([...lost, ...belowReadOnly(wanted, facts)])];
}

function wantedMounts({ mounts = [] }: RuntimeSpec, { resolved }: MountFacts): readonly WantedMount[] {
  return mounts.map((mount) => ({ ...mount, at: resolved(mount.destination) }));
}

/** On a v1 machine the cgroups of a task are several mounts, each read-only where the specification's one is. */
function belowReadOnly(wanted: readonly WantedMount[], { mounts }: MountFacts): readonly string[] {
  const places = wanted.filter(({ type, options }) => type === 'cgroup' && options?.includes('ro'));
  return mounts
    .filter(({ mountPoint }) => places.some(({ at }) => mountPoint.startsWith(`${at}/`)))
    .filter(({ options }) => !options.includes('ro'))
    .map(({ mountPoint }) => mountPoint);
}

function excess(path: string, what: string): Excess {
  return { field: `mountinfo (${path})`, what };
}

function rootExcesses({ root }: RuntimeSpec, seen: SeenMount | undefined, { rootFile }: MountFacts): readonly Excess[] {
  if (!seen || rootFile === undefined || seen.file !== rootFile) return [excess('/', 'is not its root file system')];
  return root?.readonly === true && !seen.options.includes('ro') ? [excess('/', 'can be written')] : [];
}

type WantedMount = MountSpec & { readonly at: string };

function wantedExcesses(wanted: WantedMount, seen: SeenMount | undefined, facts: MountFacts): readonly Excess[] {
  if (!seen) return [excess(wanted.destination, 'is not there')];
  const { options = [], type = '', source = '' } = wanted;
  const missing = confining.filter((option) => options.includes(option) && !seen.options.includes(option));
  const loose = missing.map((option) => excess(wanted.destination, `is not ${option}`));
  const bound = type === 'bind' || options.includes('bind') || options.includes('rbind');
  const right = bound ? seen.file === facts.sourceFile(source) : isOfType(type, seen.type);
  return right ? loose : [...loose, excess(wanted.destination, 'is something else')];
}

/** A v1 machine's cgroups are a folder in memory with one mount for each controller. */
function isOfType(wanted: string, seen: string): boolean {
  return wanted === 'cgroup' ? ['cgroup', 'cgroup2', 'tmpfs'].includes(seen) : wanted === seen;
}

function hiddenExcesses(
  { linux, root }: RuntimeSpec,
  top: ReadonlyMap<string, SeenMount>,
  { exists }: MountFacts,
): readonly Excess[] {
  const masked = (linux?.maskedPaths ?? []).flatMap((path) => {
    if (!exists(path)) return [];
    const seen = top.get(path);
    return seen && isEmpty(seen) ? [] : [excess(path, 'is not masked')];
  });
  const readonly = (linux?.readonlyPaths ?? []).flatMap((path) => {
    if (!exists(path)) return [];
    const seen = mountOver(top, path);
    const held = seen?.options.includes('ro') === true || (seen?.mountPoint === '/' && root?.readonly === true);
    return held ? [] : [excess(path, 'can be written')];
  });
  return [...masked, ...readonly];
}

/** The null device over a file, an empty folder in memory over a folder. */
function isEmpty({ type, options, isNull }: SeenMount): boolean {
  return isNull === true || (type === 'tmpfs' && options.includes('ro'));
}

function mountOver(top: ReadonlyMap<string, SeenMount>, path: string): SeenMount | undefined {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
    const seen = top.get(at);
    if (seen || at === '/') return seen;
  }
}

/** Mounts that nothing of the specification leads to, and second ones over what it leads to. */
function strangers({ linux }: RuntimeSpec, wanted: readonly WantedMount[], facts: MountFacts): readonly Excess[] {
  const expected = new Map<string, number>([['/', 1]]);
  const places = [...wanted.map(({ at }) => at), ...(linux?.maskedPaths ?? []), ...(linux?.readonlyPaths ?? [])];
  const devices = [...usualDevices, ...(linux?.devices ?? []).map(({ path }) => path)];
  for (const place of [...places, ...devices]) expected.set(place, (expected.get(place) ?? 0) + 1);
  const cgroups = wanted.filter(({ type }) => type === 'cgroup').map(({ at }) => `${at}/`);
  return facts.mounts.flatMap(({ mountPoint, type, file }) => {
    const left = expected.get(mountPoint) ?? 0;
    expected.set(mountPoint, left - 1);
    if (left > 0) return [];
    if (type === 'cgroup' && cgroups.some((place) => mountPoint.startsWith(place))) return [];
    if (file !== undefined && file === sourceBelow(mountPoint, wanted, facts)) return [];
    return [excess(mountPoint, 'is not of its specification')];
  });
}

/** What the node has where a mount lies in a volume: a folder may bring those that lie below it. */
function sourceBelow(
  mountPoint: string,
  wanted: readonly WantedMount[],
  { sourceFile }: MountFacts,
): string | undefined {
  const around = wanted.find(({ at, options }) => options?.includes('rbind') && mountPoint.startsWith(`${at}/`));
  return around?.source && sourceFile(`${around.source}${mountPoint.slice(around.at.length)}`);
}
