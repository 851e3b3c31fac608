/**
 * Carries out one verb on a task in a process of its own, to be killed on the way: everything before the verb is done, then
 * crash-at.ts begins to count. Usage: `node --import crash-at.ts runtime-driver.ts VERB PLACES-AS-JSON`.
 */
import { detectHierarchy } from '#cgroup/hierarchy.ts';
import { noIo, type ProcessIo } from '#task/io.ts';
import { execRecord, makeRuntime, record, ref, spec, type NodePlaces } from './runtime.ts';

interface Given extends Omit<NodePlaces, 'hierarchy'> {
  readonly criu?: string;
  /** Of the verb `log`: what to run, where its log is, when to rotate. */
  readonly script?: string;
  readonly log?: string;
  readonly maxBytes?: number;
  readonly maxFiles?: number;
}

const [verb = '', given = '{}'] = process.argv.slice(2);
const { criu, script = '', log, maxBytes, maxFiles, ...rest } = JSON.parse(given) as Given;
const places = { ...rest, hierarchy: detectHierarchy() };
const { runtime, recover, exitOf } = makeRuntime(places, {
  ...(criu === undefined ? {} : { criu }),
  ...(maxBytes === undefined ? {} : { maxBytes }),
  ...(maxFiles === undefined ? {} : { maxFiles }),
});
const arm = () => (globalThis as { armCrash?: () => void }).armCrash?.();
const task = ref('t');
const images = `${places.state}/../images/c`;
const logIo: ProcessIo = { kind: 'log', terminal: false, stdin: false, path: `${places.state}/../logs/t.log` };
const exec = execRecord('e', ['/bin/sh', '-c', 'exit 3']);

setInterval(() => {}, 1000); // an agent has a server that keeps it alive
await recover();
const create = (io: ProcessIo = noIo) =>
  runtime.create(record(places, 't', { io }), spec(places, ['/bin/sleep', '1000']), {});
const running = async (io: ProcessIo = noIo) => {
  await create(io);
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
  log: async () => {
    const io = { kind: 'log', terminal: false, stdin: false, path: log ?? '' } as const;
    await runtime.create(record(places, 't', { io }), spec(places, ['/bin/sh', '-c', script]), {});
    await runtime.start(task, {});
    await exitOf(task);
  },
  update: async () => {
    await running();
    arm();
    await runtime.update(task, { pids: { limit: 20 }, cpu: { quota: 50_000 }, memory: { limit: 67_108_864 } }, {});
  },
  'exec-with-a-log': async () => {
    await running();
    arm();
    const io = { kind: 'log', terminal: false, stdin: false, path: `${places.state}/../logs/e.log` } as const;
    await runtime.addExec(task, { ...exec, io });
    await runtime.startExec(task, exec.execId, {});
    await exitOf({ ...task, execId: exec.execId });
    await runtime.deleteExec(task, exec.execId);
  },
  'exec-with-a-client': async () => {
    await running();
    arm();
    const io = { kind: 'log', terminal: true, stdin: true } as const;
    await runtime.addExec(task, { ...exec, io });
    await runtime.startExec(task, exec.execId, {});
    await exitOf({ ...task, execId: exec.execId });
    await runtime.deleteExec(task, exec.execId);
  },
  restore: async () => {
    await runtime.create(record(places, 't', { io: logIo, restoreFrom: images }), spec(places, ['x']), {});
    arm();
    await runtime.start(task, {});
  },
  checkpoint: async () => {
    await running(logIo);
    arm();
    await runtime.checkpoint(task, { imagePath: images, exit: false }, {});
  },
  'checkpoint-exit': async () => {
    await running(logIo);
    arm();
    await runtime.checkpoint(task, { imagePath: images, exit: true }, {});
    await exitOf(task);
  },
};

const run = verbs[verb];
if (!run) throw new Error(`no verb ${verb}`);
await run();
await runtime.close();
process.exit(0);
