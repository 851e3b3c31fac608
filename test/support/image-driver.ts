/**
 * Carries out one verb on images in a process of its own, to be killed on the way; with crash-at.ts loaded, from the verb on
 * its steps count. Usage: `node [--import crash-at.ts] image-driver.ts VERB ROOT REFERENCE`. Tells phases on stdout.
 */
import { systemClock } from '#async/clock.ts';
import { ImageStore } from '#images/image-store.ts';
import { silentLog } from '#log/log.ts';

const [verb = '', root = '', reference = ''] = process.argv.slice(2);
const options = { root, log: silentLog(), clock: systemClock, rootfsAllow: [], ownFolders: [] };
const store = await ImageStore.open(options);
const arm = () => (globalThis as { armCrash?: () => void }).armCrash?.();
const onProgress = ({ phase }: { readonly phase: string }) => process.stdout.write(`${phase}\n`);
const ensure = async () => {
  return await store.ensure(reference, { policy: 'Always', localPaths: true, onProgress });
};

setInterval(() => {}, 1000); // an agent has a server that keeps it alive
const verbs: Record<string, () => Promise<unknown>> = {
  pull: async () => {
    arm();
    await ensure();
  },
  rootfs: async () => {
    const image = await ensure();
    arm();
    await store.rootfs(image, 'default/task');
  },
  'remove-rootfs': async () => {
    await store.rootfs(await ensure(), 'default/task');
    arm();
    await store.removeRootfs('default/task');
  },
  prune: async () => {
    await ensure();
    arm();
    await store.prune();
  },
};

const run = verbs[verb];
if (!run) throw new Error(`no verb ${verb}`);
await run();
await store.close();
process.exit(0);
