import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { execFileSync } from 'node:child_process';
import { thaw } from '#cgroup/freezer.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import { detectHierarchy, type Hierarchy } from '#cgroup/hierarchy.ts';
import { mountsBelow } from '#host/mounts.ts';
import { makeBusyboxRootfs } from './rootfs.ts';

/** Folders and a cgroup of a test's own on this machine. */
export interface TestNode {
  readonly folder: string;
  readonly state: string;
  readonly root: string;
  readonly logs: string;
  readonly socket: string;
  readonly cgroupParent: string;
  readonly hierarchy: Hierarchy;
  /** A plain root file system with busybox. */
  readonly rootfs: string;
  /** The program that its agents and clients are, where it is not that of the sources. */
  readonly program?: string;
  /** The processes that this node's agents have started and that still run. */
  running(): readonly number[];
  /** What a test that ended well may not leave behind. */
  leftovers(): readonly string[];
  /** As when the power goes: every process, cgroup and mount is gone, and the folder of state. */
  powerOff(): Promise<void>;
  /** Ends and removes everything. */
  clean(): Promise<void>;
}

/** Makes one. */
export function makeTestNode(): TestNode {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  const cgroupParent = `/${folder.split('/').at(-1)}`;
  const hierarchy = detectHierarchy();
  const group = new CgroupGroup(hierarchy, cgroupParent);
  const running = () => processesNaming(folder);
  const powerOff = async () => {
    for (const end = performance.now() + 30_000; performance.now() < end;) {
      for (const pid of [...running(), ...group.pids()]) kill(pid);
      thawBelow(group);
      if (running().length === 0 && group.pids().length === 0 && (!group.exists || group.remove())) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (const { mountPoint } of mountsBelow(folder)) execFileSync('umount', ['-l', mountPoint]);
    rmSync(join(folder, 'state'), { recursive: true, force: true });
  };
  return {
    folder,
    state: join(folder, 'state'),
    root: join(folder, 'root'),
    logs: join(folder, 'logs'),
    socket: join(folder, 'runlet.sock'),
    cgroupParent,
    hierarchy,
    rootfs: makeBusyboxRootfs(join(folder, 'rootfs')),
    running,
    leftovers: () => [
      ...group.pids().map((pid) => `process ${pid} in ${cgroupParent}: ${commandLine(pid)}`),
      ...running().map((pid) => `process ${pid}: ${commandLine(pid)}`),
      ...mountsBelow(folder).map(({ mountPoint }) => `mount ${mountPoint}`),
      ...cgroupsBelow(group).map((path) => `cgroup ${path}`),
    ],
    powerOff,
    clean: async () => {
      await powerOff();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until something is so; fails with what it was after `limitMs`, by default a minute, which a loaded machine may need. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  good: (value: T) => boolean,
  what: string,
  limitMs = 60_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (performance.now() > end) throw new Error(`${what}: still ${inspect(value, { depth: 6 })}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function processesNaming(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid && commandLine(pid).includes(`${folder}/`));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

/** The cgroups of tasks that are left; the folder of the monitors and the parents may stay. */
function cgroupsBelow(group: CgroupGroup): string[] {
  return group.folders.flatMap((folder) =>
    subfolders(folder)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) => subfolders(join(folder, name)).map((id) => join(folder, name, id))),
  );
}

/** Under v1 what is frozen dies only once it is thawed. */
function thawBelow(group: CgroupGroup): void {
  const folder = group.folder('freezer');
  if (folder === undefined) return;
  for (const name of subfolders(folder)) thawBelow(new CgroupGroup(group.hierarchy, join(group.path, name)));
  if (existsSync(folder)) thaw(group);
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
