import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorCode, errorMessage } from '#errors/errors.ts';
import type { FakeRuntime } from '../../test/support/fake-runtime.ts';
import { checkStory } from '../../test/support/task-story.ts';
import { createTask, execId, recoveredNode, specOf, taskRef, type FakeNode } from '../../test/support/tasks.ts';
import { ExecProcess } from './exec-process.ts';
import type { ExecId, TaskRef } from './ids.ts';
import { noIo } from './io.ts';
import type { Exit } from './runtime.ts';
import { follow, type Phase } from './state.ts';
import type { Task } from './task.ts';

const verbs = ['start', 'pause', 'resume', 'update', 'checkpoint', 'kill', 'delete', 'exited'] as const;

interface Move {
  readonly verb: (typeof verbs)[number];
  readonly fails: boolean;
}

const runs = { numRuns: 1000, seed: 20_260_101 };
const refs = [taskRef('a'), taskRef('b')] as const;
const execIds = [execId('e1'), execId('e2')] as const;
const programs = [['forever'], ['exit', '3'], ['oom']] as const;

/** What a step may need. */
interface Scene {
  readonly node: FakeNode;
  readonly ref: TaskRef;
  readonly execId: ExecId;
  readonly args: readonly string[];
  readonly status: number;
  readonly waits: Promise<Exit>[];
}

const taskOf = ({ node, ref }: Scene): Task => node.manager.get(ref);
const execOf = (scene: Scene): ExecProcess => {
  const process = taskOf(scene).process(scene.execId);
  if (!(process instanceof ExecProcess)) throw new Error('not an exec');
  return process;
};

const steps: Readonly<Record<string, (scene: Scene) => unknown>> = {
  create: ({ node, ref, args }) => node.manager.create(createTask(ref.id, { spec: specOf(args) })),
  restore: ({ node, ref }) => node.manager.create(createTask(ref.id, { restoreFrom: '/images' })),
  start: (scene) => taskOf(scene).start(),
  pause: (scene) => taskOf(scene).pause(),
  resume: (scene) => taskOf(scene).resume(),
  update: (scene) => taskOf(scene).update({}),
  checkpoint: (scene) => taskOf(scene).checkpoint({ imagePath: '/images', exit: false }),
  checkpointAndEnd: (scene) => taskOf(scene).checkpoint({ imagePath: '/images', exit: true }),
  term: (scene) => taskOf(scene).kill(15),
  kill: (scene) => taskOf(scene).kill(9),
  killAll: (scene) => taskOf(scene).kill(9, { all: true }),
  exec: (scene) => taskOf(scene).exec(scene.execId, { process: { args: scene.args, cwd: '/' }, io: noIo }),
  startExec: (scene) => execOf(scene).start(),
  killExec: (scene) => execOf(scene).kill(9),
  deleteExec: (scene) => execOf(scene).delete(),
  wait: (scene) => scene.waits.push(taskOf(scene).wait()),
  stats: (scene) => taskOf(scene).stats(),
  delete: ({ node, ref }) => node.manager.delete(ref),
  ends: ({ node, ref, status }) => node.runtime.end(ref, { status }),
  execEnds: ({ node, ref, execId: id, status }) => node.runtime.end({ ...ref, execId: id }, { status }),
  outOfMemory: ({ node, ref }) => node.machine.task(ref)?.init.identity && node.runtime.outOfMemory(ref),
};

const step = fc.record({
  name: fc.constantFrom(...Object.keys(steps)),
  // Mostly one task, so that the steps meet.
  ref: fc.oneof({ weight: 5, arbitrary: fc.constant(refs[0]) }, { weight: 1, arbitrary: fc.constant(refs[1]) }),
  execId: fc.constantFrom(...execIds),
  args: fc.constantFrom(...programs),
  status: fc.nat(255),
});

/** What is there before the steps overlap: any less than this the steps make themselves. */
const openings: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  created: ['create', 'exec'],
  restoring: ['restore'],
  running: ['create', 'start', 'exec'],
  busy: ['create', 'start', 'exec', 'startExec'],
  paused: ['create', 'start', 'exec', 'startExec', 'pause'],
};

async function open(opening: string, node: FakeNode, execArgs: readonly string[]): Promise<void> {
  const scene = { node, ref: refs[0], execId: execIds[0], status: 0, waits: [] };
  for (const name of openings[opening] ?? []) {
    await steps[name]?.({ ...scene, args: name === 'exec' ? execArgs : ['forever'] });
  }
}

const refusals = new Set(['already-exists', 'failed-precondition', 'not-found']);

/** Whatever is left ends, and is deleted. */
async function endAll({ manager, runtime, clock }: FakeNode): Promise<void> {
  for (const task of manager.list()) {
    runtime.end(task.ref);
    clock.advance(20_000);
    if (task.status === 'paused' || task.status === 'running') await task.wait();
    await manager.delete(task.ref);
  }
}

describe('any order of verbs and ends', () => {
  it('tells a story that keeps the rules, also when they overlap', async () => {
    const anyStory = fc.array(step, { maxLength: 12 });
    const anyOpening = fc.record({
      name: fc.constantFrom(...Object.keys(openings)),
      execArgs: fc.constantFrom(...programs),
      tellsInitFirst: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(anyOpening, anyStory, fc.scheduler(), async (opening, story, scheduler) => {
        const node = await recoveredNode();
        node.runtime.tellsInitFirst = opening.tellsInitFirst;
        await open(opening.name, node, opening.execArgs);
        node.runtime.controls.pace = () => scheduler.schedule(Promise.resolve());
        const waits: Promise<Exit>[] = [];
        const all = Promise.allSettled(
          story.map(async ({ name, ...facts }) => {
            await scheduler.schedule(Promise.resolve());
            await steps[name]?.({ ...facts, node, waits });
          }),
        );
        await scheduler.waitFor(all);
        const codes = (await all).flatMap((end) => (end.status === 'rejected' ? [errorCode(end.reason)] : []));
        expect(codes.filter((code) => !refusals.has(code))).toEqual([]);
        checkStory(node.events, node.manager);
        node.runtime.controls.pace = () => Promise.resolve();
        await endAll(node);
        checkStory(node.events, node.manager);
        const told = node.events.filter((event) => event.topic === '/tasks/exit');
        const answers = (await Promise.all(waits)).map(({ status, atMs }) => `${status} ${atMs}`);
        expect(told.map(({ exitStatus, exitedAtMs }) => `${exitStatus} ${exitedAtMs}`)).toEqual(
          expect.arrayContaining(answers),
        );
        expect([node.runtime.openReaders, node.clock.pending, node.manager.list().length]).toEqual([0, 0, 0]);
      }),
      runs,
    );
  });

  it('does what the table says, one verb after another, also when the runtime fails', async () => {
    const anyMove = fc.record({ verb: fc.constantFrom(...verbs), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(anyMove, { maxLength: 30 }), fc.boolean(), async (moves, restores) => {
        const node = await recoveredNode();
        const task = await node.manager.create(createTask('a', restores ? { restoreFrom: '/images' } : {}));
        let expected: Phase = task.phase;
        for (const move of moves) {
          const outcome = foresee(move, expected, node.runtime);
          const got = await ask(node, task, move.verb).then(() => 'done', errorMessage);
          expect([got, task.phase]).toEqual([outcome.says, outcome.phase]);
          expected = outcome.phase;
        }
      }),
      runs,
    );
  });
});

/** One verb, or the end of the process. */
function ask({ manager, runtime }: FakeNode, task: Task, verb: Move['verb']): Promise<unknown> {
  switch (verb) {
    case 'delete':
      return manager.delete(task.ref);
    case 'kill':
      return task.kill(0);
    case 'update':
      return task.update({});
    case 'checkpoint':
      return task.checkpoint({ imagePath: '/images', exit: false });
    case 'exited':
      runtime.end(task.ref);
      return Promise.resolve();
    case 'start':
    case 'pause':
    case 'resume':
      return task[verb]();
  }
}

/** What the table says that a verb will answer and lead to; makes the runtime fail where it is to. */
function foresee({ verb, fails }: Move, phase: Phase, { controls }: FakeRuntime): { says: string; phase: Phase } {
  if (phase === 'deleted' && verb === 'delete') return { says: 'task a not found', phase };
  // Nobody ends without a process.
  if (verb === 'exited' && (phase === 'restoring' || phase === 'stopped' || phase === 'deleted')) {
    return { says: 'done', phase };
  }
  try {
    const next = follow(phase, verb, 'default/a');
    if (!fails || verb === 'kill' || verb === 'exited') return { says: 'done', phase: next };
  } catch (refusal) {
    return { says: errorMessage(refusal), phase };
  }
  controls.fail(verb, new Error('the runtime failed'));
  // A delete that failed has killed what was never started.
  return { says: 'the runtime failed', phase: verb === 'delete' ? 'stopped' : phase };
}
