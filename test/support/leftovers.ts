import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cgroupFolders, pidsBelow, type Cluster } from './cluster.ts';

/** What there is on a cluster's node of tasks, wherever the agent keeps it; empty when nothing is left of any. */
export async function tasksLeft(cluster: Cluster): Promise<string[]> {
  const parent = `${cluster.cgroup}/runlet`;
  return [
    ...pidsBelow(parent).map((pid) => `process ${pid}`),
    ...cgroupFolders(parent).flatMap((folder) => foldersBelow(folder).map((each) => `cgroup ${each}`)),
    ...(await mounts(cluster)),
    ...['/run/runlet', '/var/lib/runlet'].flatMap((folder) => filesOfTasks(cluster, folder)),
  ];
}

/** The same, and what an agent itself leaves: the cgroup that held them all, and its socket. */
export async function nodeLeft(cluster: Cluster): Promise<string[]> {
  const parents = cgroupFolders(`${cluster.cgroup}/runlet`).filter((folder) => existsSync(folder));
  const socket = '/run/runlet/runlet.sock';
  return [
    ...parents.map((folder) => `cgroup ${folder}`),
    ...(existsSync(cluster.own(socket)) ? [`socket ${socket}`] : []),
    ...(await tasksLeft(cluster)),
  ];
}

/** Mounts as the node sees them: those of a pod that is gone must not have stayed there. */
async function mounts(cluster: Cluster): Promise<string[]> {
  const { stdout } = await cluster.namespaces.run(['cat', '/proc/self/mounts']);
  const points = stdout.split('\n').map((line) => line.split(' ')[1] ?? '');
  const ours = points.filter((point) => /^\/(?:var\/lib|run)\/runlet\//.test(point));
  return ours.map((point) => `mount ${point}`);
}

/** Records, layers, volumes, bundles, runc's state and FIFOs. */
function filesOfTasks(cluster: Cluster, folder: string): string[] {
  const root = cluster.own(folder);
  const found = readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
  const ofTasks = /^(?:tasks|runc|exits|images\/layers|volumes|records\/(?:nodetasks|containers))\//;
  return found
    .filter((path) => ofTasks.test(relative(root, path)) || isPipe(path))
    .filter((path) => !isEmptyFolder(path))
    .map((path) => `file ${folder}/${relative(root, path)}`);
}

function isPipe(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.isFIFO();
}

/** The folder of a namespace may stay. */
function isEmptyFolder(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined || (stats.isDirectory() && readdirSync(path).length === 0);
}

/** The cgroups of tasks; that of monitors and those of namespaces may stay while an agent is there. */
function foldersBelow(folder: string): string[] {
  return subfolders(folder)
    .filter((name) => name !== '.monitors')
    .flatMap((name) => subfolders(join(folder, name)).map((id) => join(folder, name, id)));
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}
