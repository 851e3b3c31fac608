import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ServerIdentity } from '#api/services/introspection.ts';
import type { Clock } from '#async/clock.ts';
import { lockFile } from '#host/file-lock.ts';
import { makeFolder, readLinkSync, readText, writeDurable } from '#host/files.ts';
import { JsonRecords } from '#host/json-records.ts';
import type { Log } from '#log/log.ts';
import { ContainerStore, type Container, type ContainerEvent } from '#task/containers.ts';
import { LeaseStore, type Lease } from '#task/leases.ts';
import { NamespaceStore, type NamespaceEvent, type NamespaceRecord } from '#task/namespaces.ts';

export interface StoreOptions {
  readonly root: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onContainer: (event: ContainerEvent) => void;
  readonly onNamespace: (event: NamespaceEvent) => void;
}

/** What outlives the agent and reboots: the records below `<root>/records`. */
export interface Stores {
  readonly containers: ContainerStore;
  readonly namespaces: NamespaceStore;
  readonly leases: LeaseStore;
}

/** Reads what former agents kept. */
export async function openStores({ root, clock, log, onContainer, onNamespace }: StoreOptions): Promise<Stores> {
  const records = <T>(name: string) =>
    new JsonRecords<T>(join(root, 'records', name), (error) =>
      log.error({ err: error }, 'a record cannot be read; it is left as it is'),
    );
  const containers = new ContainerStore({ records: records<Container>('containers'), clock, onChange: onContainer });
  const namespaces = new NamespaceStore({
    records: records<NamespaceRecord>('namespaces'),
    inUse: () => new Set(containers.list().map(({ namespace }) => namespace)),
    onChange: onNamespace,
  });
  const leases = new LeaseStore({ records: records<Lease>('leases'), clock });
  await containers.load();
  await namespaces.load();
  await leases.load();
  return { containers, namespaces, leases };
}

/** Makes the agent's folders and keeps every other agent out of them. Throws FailedPreconditionError when one is there. */
export async function lockFolders(config: {
  readonly root: string;
  readonly state: string;
  readonly logDir: string;
}): Promise<AsyncDisposable> {
  await makeFolder(config.state);
  await makeFolder(config.root);
  await makeFolder(config.logDir, 0o755);
  const state = await lockFile(join(config.state, 'lock'));
  try {
    const root = await lockFile(join(config.root, 'lock'));
    return {
      [Symbol.asyncDispose]: async () => {
        await root[Symbol.asyncDispose]();
        await state[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await state[Symbol.asyncDispose]();
    throw error;
  }
}

/** Who this agent is to clients: a name that is made at the first start on a node and kept. */
export async function readIdentity(root: string): Promise<ServerIdentity> {
  const path = join(root, 'uuid');
  const kept = (await readText(path))?.trim();
  const uuid = kept || randomUUID();
  if (!kept) await writeDurable(path, `${uuid}\n`);
  // The link's text is `pid:[4026531836]` (proc(5)).
  const inode = /\d+/.exec(readLinkSync('/proc/self/ns/pid') ?? '')?.[0] ?? '0';
  return { uuid, pid: process.pid, pidNamespace: BigInt(inode) };
}
