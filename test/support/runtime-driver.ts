/**
 * Carries out one verb on a task in a process of its own, to be killed on the way: everything before the verb is done, then
 * crash-at.ts begins to count. Usage: `node --import crash-at.ts runtime-driver.ts VERB PLACES-AS-JSON`.
 */
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import { execRecord, makeRuntime, record, ref, spec, type NodePlaces } from './runtime.ts';

const [verb = '', placesJson = '{}'] = process.argv.slice(2);
const places = { ...(JSON.parse(placesJson) as Omit<NodePlaces, 'hierarchy'>), hierarchy: detectHierarchy() };
const { runtime, recover, exitOf } = makeRuntime(places);
const arm = () => (globalThis as { armCrash?: () => void }).armCrash?.();
const task = ref('t');
const exec = execRecord('e', ['/bin/sh', '-c', 'exit 3']);

setInterval(() => {}, 1000); // an agent has a server that keeps it alive
await recover();
const create = () => runtime.create(record(places, 't'), spec(places, ['/bin/sleep', '1000']), {});
const running = async () => {
  await create();
  await runtime.start(task, {});
};

const verbs: Record<string, () => Promise<unknown>> = {
  create: () => (arm(), create()),
  start: async () => {
    await create();
    arm();
    await runtime.start(task, {});
  },
  exec: async () => {
    await running();
    arm();
    await runtime.addExec(task, exec);
    await runtime.startExec(task, exec.execId, {});
    await exitOf({ ...task, execId: exec.execId });
    await runtime.deleteExec(task, exec.execId);
  },
  pause: async () => {
    await running();
    arm();
    await runtime.pause(task);
    await runtime.resume(task);
  },
  kill: async () => {
    await running();
    arm();
    await runtime.kill(task, 9);
    await exitOf(task);
  },
  delete: async () => {
    await running();
    await runtime.kill(task, 9);
    await exitOf(task);
    arm();
    await runtime.delete(task);
  },
  checkpoint: async () => {
    await running();
    arm();
    await runtime.checkpoint(task, { imagePath: `${places.state}/../images/c`, exit: false }, {});
  },
  'checkpoint-exit': async () => {
    await running();
    arm();
    await runtime.checkpoint(task, { imagePath: `${places.state}/../images/c`, exit: true }, {});
    await exitOf(task);
  },
};

const run = verbs[verb];
if (!run) throw new Error(`no verb ${verb}`);
await run();
await runtime.close();
process.exit(0);
