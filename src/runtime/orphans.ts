import { dirname, join } from 'node:path';
import { CgroupGroup } from '#cgroup/group.ts';
import { errorMessage } from '#errors/errors.ts';
import { existsSync, listFoldersSync, listNames } from '#host/files.ts';
import { mountsBelow, unmount } from '#host/mounts.ts';
import { signalProcess } from '#host/process.ts';
import { tell } from '#log/notices.ts';
import type { RuntimeContext } from './context.ts';
import type { Running } from './running.ts';

/**
 * Removes what belongs to no bundle: monitors without their folder, mounts below the tasks' folder, empty cgroups. A cgroup
 * with processes in it is reported and left: it may be somebody else's. Failures are reported, none stops the agent.
 */
export async function removeOrphans(context: RuntimeContext, monitors: readonly Running[]): Promise<void> {
  for (const { folder, identity } of monitors) {
    if (existsSync(folder)) continue;
    tell('orphan-found', { kind: 'monitor' });
    signalProcess(identity, 9);
  }
  const bundles = new Set(await bundlePaths(context));
  for (const { mountPoint } of mountsBelow(context.tasksFolder)) {
    if ([...bundles].some((bundle) => mountPoint.startsWith(`${bundle}/`))) continue;
    tell('orphan-found', { kind: 'mount' });
    await attempt(context, mountPoint, () => unmount(mountPoint));
  }
  for (const group of orphanGroups(context)) {
    tell('orphan-found', { kind: 'cgroup' });
    await attempt(context, group.path, () => {
      if (group.pids().length > 0) context.log.warn({ cgroup: group.path }, 'a cgroup without a task has processes');
      else group.remove();
      return Promise.resolve();
    });
  }
}

async function bundlePaths(context: RuntimeContext): Promise<readonly string[]> {
  const namespaces = await listNames(context.tasksFolder);
  const places = namespaces.map((namespace) => join(context.tasksFolder, namespace));
  return (await Promise.all(places.map(async (at) => (await listNames(at)).map((id) => join(at, id))))).flat();
}

/** The cgroups `<parent>/<namespace>/<id>` that have no bundle. */
function orphanGroups(context: RuntimeContext): readonly CgroupGroup[] {
  const { hierarchy, monitors, tasksFolder } = context;
  const parent = dirname(monitors.path);
  const root = new CgroupGroup(hierarchy, parent);
  return folders(root)
    .filter((namespace) => !namespace.startsWith('.'))
    .flatMap((namespace) =>
      folders(new CgroupGroup(hierarchy, join(parent, namespace)))
        .filter((id) => !existsSync(join(tasksFolder, namespace, id)))
        .map((id) => new CgroupGroup(hierarchy, join(parent, namespace, id))),
    );
}

/** The names of the cgroups right below one, in whichever tree. */
function folders(group: CgroupGroup): readonly string[] {
  return [...new Set(group.folders.flatMap(listFoldersSync))];
}

async function attempt(context: RuntimeContext, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log.warn({ what, reason: errorMessage(error) }, 'cannot remove what belongs to no task');
  }
}
