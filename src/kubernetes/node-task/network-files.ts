import { join } from 'node:path';
import { realPath, setMode, writeAtomicSync } from '#host/files.ts';
import type { MountSpec } from '#oci/runtime-spec.ts';
import type { VolumePlan } from './volumes.ts';

/** Files of the node that a task on the node's network resolves names with. */
const nodeFiles = ['/etc/resolv.conf', '/etc/hosts'] as const;

const readableMode = 0o644;

/** Mounts by which names resolve: the node's own files with its network, else a hosts file that knows the task itself. */
export async function networkMounts(
  plan: Pick<VolumePlan, 'folder' | 'hostname' | 'network'>,
): Promise<readonly MountSpec[]> {
  if (plan.network === 'none') {
    const path = join(plan.folder, 'hosts');
    writeAtomicSync(path, hostsText(plan.hostname));
    await setMode(path, readableMode);
    return [bind(path, '/etc/hosts')];
  }
  // Links such as systemd-resolved's are followed here: their far ends are not in the container.
  const found = await Promise.all(nodeFiles.map(async (file) => [await realPath(file), file] as const));
  return found.flatMap(([source, file]) => (source === undefined ? [] : [bind(source, file)]));
}

/** hosts(5) of a task with a loopback interface only. */
export function hostsText(hostname: string): string {
  return `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t${hostname}\n`;
}

function bind(source: string, destination: string): MountSpec {
  return { destination, type: 'bind', source, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'] };
}
