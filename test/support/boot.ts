import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentNode, AgentStart } from './agent.ts';

/**
 * Lets a node's machine go down and up again: nothing but the disk is left, and agents that are started by what is returned find
 * another boot. They see it in a mount namespace of their own, whose mounts go with its last process.
 */
export async function reboot(node: AgentNode): Promise<Required<Pick<AgentStart, 'through'>>> {
  await node.powerOff();
  const bootId = join(node.folder, 'boot-id');
  writeFileSync(bootId, `${randomUUID()}\n`);
  const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';
  return { through: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, bootId] };
}
