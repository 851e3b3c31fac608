import { readdirSync, readFileSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { mountsBelow } from '#host/mounts.ts';
import type { TestNode } from '../support/node.ts';
import { nodeNamespace } from './agreement.ts';
import { cgroupIds, readKernelTask } from './kernel.ts';
import { namespace, type SoakObject } from './objects.ts';

/** What is on the node and belongs to none of these objects, or is there more than once, one line each. */
export function leftovers(node: TestNode, objects: readonly SoakObject[]): readonly string[] {
  const names = new Set(objects.map(({ metadata }) => metadata.name));
  const uids = new Set(objects.map(({ metadata }) => metadata.uid));
  const others = (what: string, ids: readonly string[], known = names) =>
    ids.filter((id) => !known.has(id)).map((id) => `${what} of ${id} is left`);
  return [
    ...others('a bundle', list(node.state, 'tasks', nodeNamespace)),
    ...others('the runtime’s state', list(node.state, 'runc', nodeNamespace)),
    ...others('a cgroup', cgroupIds(node, nodeNamespace)),
    ...others('a layer', list(node.root, 'images/layers').map(idIn)),
    ...others('a folder of volumes', list(node.root, 'volumes', nodeNamespace)),
    ...others(
      'a mount',
      mountsBelow(node.folder).map(({ mountPoint }) => idIn(mountPoint)),
    ),
    ...others('a FIFO', fifosBelow(node.state).map(idIn)),
    // Logs of objects that are gone are kept for a time, with the UID behind the name.
    ...others(
      'a log',
      list(node.logs, nodeNamespace).filter((name) => !name.includes('_')),
    ),
    ...others('a record', list(node.root, 'records/nodetasks').map(recordName), uids),
    ...others('a container', list(node.root, 'records/containers', nodeNamespace).map(recordName)),
    ...others('a cached object', list(node.root, 'cluster/nodetasks', namespace).map(recordName)),
    ...monitorTrouble(node),
  ];
}

/** A monitor stays with its process, and there is one for each. */
function monitorTrouble(node: TestNode): readonly string[] {
  const counts = new Map<string, number>();
  for (const { id } of monitorsIn(node)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].flatMap(([id, count]) => {
    const alive = (readKernelTask(node, nodeNamespace, id)?.pids.length ?? 0) > 0;
    return count > 1 || !alive ? [`${count} monitors of ${id}, whose process ${alive ? 'runs' : 'is gone'}`] : [];
  });
}

/** The process ids of a task's monitors. */
export function monitorsOf(node: TestNode, name: string): readonly number[] {
  return monitorsIn(node).flatMap(({ pid, id }) => (id === name ? [pid] : []));
}

/** conmon names the container by `-c`. */
function monitorsIn(node: TestNode): readonly { readonly pid: number; readonly id: string }[] {
  return node.running().flatMap((pid) => {
    const [program = '', ...args] = commandLine(pid);
    return program.endsWith('conmon') ? [{ pid, id: args[args.indexOf('-c') + 1] ?? '' }] : [];
  });
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it has ended meanwhile
  }
}

/** What goes meanwhile is no FIFO any more; root file systems are the tasks' own. */
function fifosBelow(folder: string): readonly string[] {
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isFIFO()) return [path];
    return entry.isDirectory() && entry.name !== 'rootfs' ? fifosBelow(path) : [];
  });
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** The id in a path or in an escaped key of ours; the path itself where there is none. */
function idIn(path: string): string {
  const plain = decodeURIComponent(path);
  return plain.split(`${nodeNamespace}/`)[1]?.split('/')[0] ?? plain;
}

function recordName(file: string): string {
  return file.replace(/\.json$/, '');
}

function list(...path: readonly string[]): readonly string[] {
  try {
    return readdirSync(join(...path)).filter((name) => !name.startsWith('.'));
  } catch {
    return []; // nothing has been put there yet
  }
}
