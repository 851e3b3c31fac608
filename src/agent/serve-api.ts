import { join } from 'node:path';
import type { DesiredState } from '#api/ports.ts';
import { ApiServer } from '#api/server.ts';
import type { Config } from '#config/config.ts';
import type { Log } from '#log/log.ts';
import { CriLogs } from '#logs/cri-logs.ts';
import type { Task } from '#task/task.ts';
import type { Core } from './core.ts';
import { HandMaker } from './hand-maker.ts';
import { socketFile } from './socket-file.ts';
import { readIdentity } from './stores.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly core: Core;
  readonly desired: DesiredState;
  readonly version: string;
  readonly log: Log;
}

/** Serves the gRPC API until disposed of. Throws FailedPreconditionError when another program answers on the socket. */
export async function serveApi({ config, core, desired, version, log }: ServeOptions): Promise<AsyncDisposable> {
  const { tasks, containers, namespaces, leases, images, clock, recordEvents } = core;
  const server = new ApiServer({
    ...{ tasks, containers, namespaces, leases, images, clock, desired, version, log, socketFile },
    address: config.address,
    nodeName: config.nodeName,
    identity: await readIdentity(config.root),
    maker: new HandMaker({
      ...{ tasks, containers, images, clock, making: core.making, machine: core.machine },
      nodeName: config.nodeName,
      defaultPidsLimit: config.defaultPidsLimit,
      rootOf: (task) => rootOf(core, task),
    }),
    logs: new CriLogs({ logDir: config.logDir, tasks }),
    checkpointFolder: ({ namespace, id }) => join(config.root, 'checkpoints', namespace, id),
  });
  const subscription = recordEvents.subscribe((event) => {
    if ('container' in event) server.tellContainer(event);
    else server.tellNamespace(event);
  });
  await server.listen();
  return {
    [Symbol.asyncDispose]: async () => {
      subscription[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Mounted file systems are in the bundle; a plain root is where the container's specification says. */
function rootOf({ runtime, containers }: Core, { ref, record }: Task): string {
  if (record.rootfs.length > 0) return join(runtime.bundlePath(ref), 'rootfs');
  const spec = JSON.parse(Buffer.from(containers.get(ref).spec.value, 'base64').toString('utf8')) as {
    readonly root?: { readonly path?: string };
  };
  return spec.root?.path ?? '/nonexistent';
}
