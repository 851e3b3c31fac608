import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FoundTask } from '#task/runtime.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { stepsToTry } from '../support/crash-steps.ts';
import { installedCriu } from '../support/criu.ts';
import { makeRuntime, record, ref, spec } from '../support/runtime.ts';

const criu = installedCriu();
const support = join(import.meta.dirname, '../support');

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

const stepsFile = () => join(node.folder, 'steps');

/** Runs a verb in a process that dies before its step number `crashAt`; false when it came to its end. */
function crashed(verb: string, crashAt: number): boolean {
  const { state, cgroupParent, rootfs } = node;
  const program = [join(support, 'runtime-driver.ts'), verb, JSON.stringify({ state, cgroupParent, rootfs, criu })];
  const run = spawnSync(process.execPath, ['--import', join(support, 'crash-at.ts'), ...program], {
    env: { PATH: process.env['PATH'], CRASH_AT: String(crashAt), STEPS_FILE: stepsFile() },
    encoding: 'utf8',
  });
  if (run.signal === 'SIGKILL') return true;
  expect(run.stderr, `${verb} at ${crashAt}`).toBe('');
  expect(run.status).toBe(0);
  return false;
}

/** What a new agent may find after the verb was cut off anywhere. */
const expectations: Record<string, (found: readonly FoundTask[]) => unknown> = {
  create: (found) => expect(found.map(({ phase }) => phase)).toSatisfy(oneOf([], ['created'])),
  start: (found) => expect(found.map(({ phase }) => phase)).toSatisfy(oneOf(['created'], ['running'])),
  exec: (found) => expectOneExec(found),
  'exec-with-a-log': (found) => expectOneExec(found),
  'exec-with-a-client': (found) => expectOneExec(found),
  update: (found) => expect(found.map(({ phase }) => phase)).toEqual(['running']),
  checkpoint: (found) => expect(found.map(({ phase }) => phase)).toEqual(['running']),
  'checkpoint-exit': (found) => {
    const ends = found.map(({ phase, exit }) => `${phase} ${exit?.reason ?? ''}`.trim());
    expect(ends).toSatisfy(oneOf(['running'], ['stopped Checkpointed']));
  },
  restore: (found) => expect(found.map(({ phase }) => phase)).toSatisfy(oneOf(['restoring'], ['running'])),
  pause: (found) => expect(found.map(({ phase }) => phase)).toSatisfy(oneOf(['running'], ['paused'])),
  kill: (found) => expect(found.map(({ phase }) => phase)).toSatisfy(oneOf(['running'], ['stopped'])),
  delete: (found) =>
    expect(found.map(({ phase, exit }) => `${phase} ${exit?.status}`)).toSatisfy(oneOf([], ['stopped 137'])),
};

function expectOneExec(found: readonly FoundTask[]): void {
  expect(found.map(({ phase }) => phase)).toEqual(['running']);
  const execs = found[0]?.execs.map(({ phase, exit }) => `${phase} ${exit?.status ?? ''}`.trim()) ?? [];
  // Lost: the exec was given up while its monitor was only just being started.
  expect(execs).toSatisfy(oneOf([], ['created'], ['running'], ['stopped 3'], ['lost 255']));
}

function oneOf(...allowed: (readonly string[])[]): (actual: readonly string[]) => boolean {
  return (actual) => allowed.some((each) => JSON.stringify(each) === JSON.stringify(actual));
}

/** What a verb needs before it. */
const prepare: Record<string, () => Promise<void>> = {
  restore: async () => {
    await using maker = makeRuntime(node, { criu });
    await maker.recover();
    const io = { kind: 'log', terminal: false, stdin: false, path: join(node.logs, 't.log') } as const;
    await maker.runtime.create(record(node, 't', { io }), spec(node, ['/bin/sleep', '1000']), {});
    await maker.runtime.start(ref('t'), {});
    await maker.runtime.checkpoint(ref('t'), { imagePath: join(node.folder, 'images/c'), exit: false }, {});
    await maker.runtime.delete(ref('t'));
  },
};

/** Checks what only a real task shows: that it can be used as before. */
async function expectUsable(found: readonly FoundTask[], { runtime }: ReturnType<typeof makeRuntime>): Promise<void> {
  for (const { phase, record: of } of found) {
    if (phase !== 'running') continue;
    await runtime.pause(of);
    await runtime.resume(of);
    expect(await runtime.pids(of)).not.toEqual([]);
  }
}

/** What the next agent finds is as it may be, can be used and removed, and then nothing is left. */
async function expectMended(verb: string, when: string): Promise<void> {
  await using next = makeRuntime(node);
  const found = await next.recover();
  try {
    expectations[verb]?.(found);
    await expectUsable(found, next);
  } catch (error) {
    throw new Error(when, { cause: error });
  }
  for (const { record: of } of found) await next.runtime.delete(of);
  expect(node.leftovers(), when).toEqual([]);
  if (verb.startsWith('checkpoint')) rmSync(join(node.folder, 'images'), { recursive: true, force: true });
}

/** How many steps a verb has, by carrying it out whole. */
function countSteps(verb: string): number {
  expect(crashed(verb, Infinity), verb).toBe(false);
  return Number(readFileSync(stepsFile(), 'utf8'));
}

describe('an agent killed -9 at any step', () => {
  for (const verb of Object.keys(expectations)) {
    it(`of ${verb} leaves what the next one can finish or undo`, { timeout: 240_000 }, async () => {
      await prepare[verb]?.();
      const steps = countSteps(verb);
      await expectMended(verb, `${verb} that was not killed`);
      expect(steps, 'steps').toBeGreaterThan(1);
      for (const step of stepsToTry(steps)) {
        crashed(verb, step); // its last steps may be fewer this time: then it has come to its end
        await expectMended(verb, `killed before step ${step} of ${verb}`);
      }
    });
  }
});

describe('a new agent', () => {
  it('reads the exit status of a task that ended while none ran', async () => {
    {
      await using first = makeRuntime(node);
      await first.recover();
      await first.runtime.create(record(node, 't'), spec(node, ['/bin/sh', '-c', 'read x; exit 42']), {});
      await first.runtime.start(ref('t'), {});
    }
    await eventually(
      () => node.running().length,
      (count) => count === 0,
      'monitor and task end',
    );
    await using second = makeRuntime(node);
    const [found] = await second.recover();
    expect(found).toMatchObject({ phase: 'stopped', exit: { status: 42, reason: 'Exited' } });
    await second.runtime.delete(ref('t'));
    expect(node.leftovers()).toEqual([]);
  });
});
