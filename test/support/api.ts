import { mkdtempSync, rmSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectApi, type ApiClient } from '#api/client.ts';
import { ApiServer, type ApiServerOptions } from '#api/server.ts';
import { NotFoundError } from '#errors/errors.ts';
import { silentLog } from '#log/log.ts';
import { ContainerStore } from '#task/containers.ts';
import { LeaseStore } from '#task/leases.ts';
import { NamespaceStore } from '#task/namespaces.ts';
import type { Records } from '#task/records.ts';
import { recoveredNode, type FakeNode } from './tasks.ts';

/** The API over a fake runtime, on a socket of its own, with a client. */
export interface TestApi extends AsyncDisposable {
  readonly node: FakeNode;
  readonly client: ApiClient;
  readonly containers: ContainerStore;
  readonly namespaces: NamespaceStore;
  readonly leases: LeaseStore;
}

/** Records in memory: what is put is there until it is removed. */
export function memoryRecords<T>(): Records<T> {
  const records = new Map<string, T>();
  return {
    load: () => Promise.resolve([...records.values()]),
    put: (key, value) => Promise.resolve(void records.set(key, value)),
    remove: (key) => Promise.resolve(void records.delete(key)),
  };
}

/** Starts it; `more` takes the place of parts that the test brings itself. */
export async function startApi(more: Partial<ApiServerOptions> = {}): Promise<TestApi> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  const address = join(folder, 'runlet.sock');
  const node = await recoveredNode();
  const { clock, manager: tasks } = node;
  const containers: ContainerStore = new ContainerStore({
    records: memoryRecords(),
    clock,
    onChange: (event) => server.tellContainer(event),
  });
  const namespaces = new NamespaceStore({
    records: memoryRecords(),
    inUse: () => new Set(containers.list().map(({ namespace }) => namespace)),
    onChange: (event) => server.tellNamespace(event),
  });
  const leases = new LeaseStore({ records: memoryRecords(), clock });
  const server: ApiServer = new ApiServer({
    ...{
      address,
      version: '0.0.0-test',
      nodeName: 'node-a',
      tasks,
      containers,
      namespaces,
      leases,
      clock,
      log: silentLog(),
    },
    identity: { uuid: '11111111-2222-3333-4444-555555555555', pid: process.pid, pidNamespace: 4_026_531_836n },
    checkpointFolder: ({ namespace, id }) => join(folder, 'checkpoints', namespace, id),
    socketFile: {
      prepare: async (path) => void (await mkdir(dirname(path), { recursive: true })),
      protect: (path) => chmod(path, 0o600),
      remove: (path) => rm(path, { force: true }),
    },
    ...absent,
    ...more,
  });
  await server.listen();
  const client = connectApi(address);
  return {
    ...{ node, client, containers, namespaces, leases },
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function refuse(): never {
  throw new NotFoundError('this test has no such part');
}

/** Ports of parts that a server over a fake runtime does without. */
const absent: Pick<ApiServerOptions, 'maker' | 'images' | 'logs' | 'desired'> = {
  maker: {
    make: refuse,
    restart: refuse,
    remove: refuse,
    resolveUser: refuse,
    stop: refuse,
    update: refuse,
    restore: refuse,
  },
  images: { pull: refuse, list: () => Promise.resolve([]), remove: refuse, prune: refuse },
  logs: { read: refuse },
  desired: { describe: () => undefined, withoutTask: () => [], restarts: () => undefined },
};
