/**
 * Carries out one verb on a task made by hand in a process of its own, to be killed on the way; with crash-at.ts loaded, from
 * the verb on its steps count. Usage: `node [--import crash-at.ts] making-driver.ts VERB FLAGS-AS-JSON ROOTFS`.
 */
import { openCore, recoverCore } from '#agent/core.ts';
import { HandMaker } from '#agent/hand-maker.ts';
import { loadConfig } from '#config/load.ts';
import type { RawSettings } from '#config/schema.ts';
import { silentLog } from '#log/log.ts';
import { parseNamespace, parseTaskId } from '#task/ids.ts';

const [verb = '', flags = '{}', rootfs = ''] = process.argv.slice(2);
const config = loadConfig({ flags: JSON.parse(flags) as RawSettings, env: {} });
const core = await openCore(config, silentLog());
await recoverCore(core);
const maker = new HandMaker({
  ...core,
  nodeName: 'test-node',
  defaultPidsLimit: config.defaultPidsLimit,
  rootOf: () => rootfs,
});
const ref = { namespace: parseNamespace('default'), id: parseTaskId('t') };
const { signal } = new AbortController();
const arm = () => (globalThis as { armCrash?: () => void }).armCrash?.();
const make = () =>
  maker.make(
    {
      ...{ ...ref, labels: {}, baseDir: '/', stdinOnce: false },
      spec: {
        command: ['/bin/sleep', '1000'],
        rootfs: { path: rootfs },
        volumes: [
          { name: 'disk', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory' } },
        ],
        volumeMounts: [
          { name: 'disk', mountPath: '/tmp' },
          { name: 'memory', mountPath: '/root' },
        ],
        stopSignal: 'KILL',
      },
    },
    { signal, onProgress: () => {}, onWarning: () => {} },
  );

setInterval(() => {}, 1000); // an agent has a server that keeps it alive
const verbs: Record<string, () => Promise<unknown>> = {
  make: () => (arm(), make()),
  restart: async () => {
    await (await make()).start();
    arm();
    await maker.restart(ref, { signal });
  },
  remove: async () => {
    await (await make()).start();
    arm();
    await maker.remove(ref, { force: true, signal });
  },
};

const run = verbs[verb];
if (!run) throw new Error(`no verb ${verb}`);
await run();
await core[Symbol.asyncDispose]();
process.exit(0);
