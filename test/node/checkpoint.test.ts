import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CancelledError, FailedPreconditionError } from '#errors/errors.ts';
import { readFreezer } from '#cgroup/freezer.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import type { ProcessIo } from '#task/io.ts';
import type { TaskRecord } from '#task/runtime.ts';
import { installedCriu } from '../support/criu.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { makeRuntime, record, ref, sh, spec } from '../support/runtime.ts';

const criu = installedCriu();
let node: TestNode;
let tested: ReturnType<typeof makeRuntime>;
beforeEach(async () => {
  node = makeTestNode();
  tested = makeRuntime(node, { criu });
  await tested.recover();
});
afterEach(async () => {
  await tested[Symbol.asyncDispose]();
  await node.clean();
});

const images = () => join(node.folder, 'images');
const log = () => join(node.logs, '0.log');
const toLog = (more: Partial<ProcessIo & { kind: 'log' }> = {}): ProcessIo => ({
  kind: 'log',
  terminal: false,
  stdin: false,
  path: log(),
  ...more,
});
const counted = () =>
  [...(existsSync(log()) ? readFileSync(log(), 'utf8') : '').matchAll(/ F (\d+)\r?$/gm)].map(([, n]) => Number(n));
const counter = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done';

async function run(id: string, more: Partial<TaskRecord> = {}, script = counter): Promise<number> {
  await tested.runtime.create(record(node, id, { io: toLog(), ...more }), spec(node, sh(script)), {});
  const { pid } = await tested.runtime.start(ref(id), {});
  return pid;
}

async function countsPast(n: number): Promise<void> {
  await eventually(
    () => counted().at(-1) ?? 0,
    (last) => last > n,
    `it counts past ${n}`,
  );
}

/** Each number once, in order: nothing was lost or done twice. */
function expectNoGap(): void {
  const numbers = counted();
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
}

async function expectNothingLeft(): Promise<void> {
  await eventually(
    () => node.leftovers(),
    (left) => left.length === 0,
    'nothing is left',
  );
}

describe('a checkpoint', () => {
  it('leaves the task running and says how long it stood still', async () => {
    const pid = await run('t');
    await countsPast(3);
    const before = performance.now();
    const { frozenMs } = await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: false }, {});
    expect(frozenMs).toBeGreaterThan(0);
    expect(frozenMs).toBeLessThan(performance.now() - before);
    expect(existsSync(join(images(), 'inventory.img'))).toBe(true);
    expect(await tested.runtime.pids(ref('t'))).toContain(pid);
    await countsPast((counted().at(-1) ?? 0) + 3);
    expectNoGap();
    expect(tested.exits).toEqual([]);
    expect(readdirSync(join(node.state, 'tasks/default/t'))).not.toContain('checkpoint-work');
    await expect(tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: false }, {})).rejects.toThrow(
      'holds a checkpoint already',
    );
    await tested.runtime.delete(ref('t'));
    await expectNothingLeft();
  });

  it('ends the task and another goes on where it was, in the same log, to an exit of its own', async () => {
    await run('t');
    await countsPast(3);
    await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: true }, {});
    const exit = await tested.exitOf(ref('t'));
    expect(exit).toMatchObject({ status: 137, reason: 'Checkpointed' });
    expect(exit.final?.cpuUsageUsec).toBeGreaterThan(0n);
    await tested.runtime.delete(ref('t'));
    await expectNothingLeft();

    const reached = counted().at(-1) ?? 0;
    await tested.runtime.create(record(node, 'u', { io: toLog(), restoreFrom: images() }), spec(node, sh(counter)), {});
    expect(await tested.runtime.pids(ref('u'))).toEqual([]);
    await tested.runtime.start(ref('u'), {});
    await countsPast(reached + 3);
    expectNoGap();
    await tested.runtime.kill(ref('u'), 9);
    expect(await tested.exitOf(ref('u'))).toMatchObject({ status: 137, reason: 'Exited' });
    await tested.runtime.delete(ref('u'));
    await expectNothingLeft();
  });

  it('can be restored under the same name again and again', async () => {
    await run('t', {}, "trap 'exit 6' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
    for (let round = 0; round < 3; round += 1) {
      await countsPast((counted().at(-1) ?? 0) + 2);
      const imagePath = `${images()}-${round}`;
      await tested.runtime.checkpoint(ref('t'), { imagePath, exit: true }, {});
      await tested.exitOf(ref('t'));
      await tested.runtime.delete(ref('t'));
      tested.forget();
      await tested.runtime.create(record(node, 't', { io: toLog(), restoreFrom: imagePath }), spec(node, sh('x')), {});
      await tested.runtime.start(ref('t'), {});
    }
    await countsPast((counted().at(-1) ?? 0) + 2);
    expectNoGap();
    await tested.runtime.kill(ref('t'), 15);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 6, reason: 'Exited' });
    await tested.runtime.delete(ref('t'));
    await expectNothingLeft();
  });

  it('keeps a terminal and what its shell knows', async () => {
    const io = toLog({ terminal: true, stdin: true });
    await tested.runtime.create(record(node, 't', { io }), spec(node, sh('exec /bin/sh -i')), {});
    await tested.runtime.start(ref('t'), {});
    expect(await type('t', 'kept=a-word; echo and-$kept\n', 'and-a-word')).toContain('and-a-word');
    await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: true }, {});
    await tested.exitOf(ref('t'));
    await tested.runtime.delete(ref('t'));
    await tested.runtime.create(record(node, 'u', { io, restoreFrom: images() }), spec(node, sh('x')), {});
    await tested.runtime.start(ref('u'), {});
    expect(await type('u', 'echo it-is-$kept\n', 'it-is-a-word')).toContain('it-is-a-word');
    await tested.runtime.delete(ref('u'));
    await expectNothingLeft();
  });

  it('of a paused task leaves it paused', async () => {
    await run('t');
    await countsPast(3);
    await tested.runtime.pause(ref('t'));
    await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: false }, {});
    expect(readFreezer(new CgroupGroup(node.hierarchy, `${node.cgroupParent}/default/t`))).toBe('frozen');
    await tested.runtime.resume(ref('t'));
    await countsPast((counted().at(-1) ?? 0) + 3);
    expectNoGap();
    await tested.runtime.delete(ref('t'));
  });

  it('that criu refuses says why and lets the task go on', async () => {
    const fifos = ['out', 'err'].map((name) => join(node.folder, name));
    execFileSync('mkfifo', fifos);
    const [stdout = '', stderr = ''] = fifos;
    const pid = await run('t', { io: { kind: 'fifo', terminal: false, stdout, stderr } }, 'exec sleep 1000');
    mkdirSync(images());
    writeFileSync(join(images(), 'of-somebody-else'), '');
    const failure: unknown = await tested.runtime
      .checkpoint(ref('t'), { imagePath: images(), exit: true }, {})
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FailedPreconditionError);
    expect((failure as Error).message).toMatch(
      /^cannot checkpoint task default\/t: criu refuses it \(its streams are FIFOs .*out/,
    );
    expect(readdirSync(images())).toEqual(['of-somebody-else']);
    expect(await tested.runtime.pids(ref('t'))).toEqual([pid]);
    expect(readFreezer(new CgroupGroup(node.hierarchy, `${node.cgroupParent}/default/t`))).toBe('thawed');
    await tested.runtime.kill(ref('t'), 9);
    expect(await tested.exitOf(ref('t'))).toMatchObject({ status: 137, reason: 'Exited' });
    await tested.runtime.delete(ref('t'));
    await expectNothingLeft();
  });

  it('from images that are not whole fails and leaves nothing', async () => {
    await run('t');
    await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: false }, {});
    await tested.runtime.delete(ref('t'));
    const core = readdirSync(images()).find((name) => name.startsWith('core-')) ?? '';
    renameSync(join(images(), core), join(node.folder, core));
    await tested.runtime.create(record(node, 'u', { io: toLog(), restoreFrom: images() }), spec(node, sh('x')), {});
    await expect(tested.runtime.start(ref('u'), {})).rejects.toThrow(/criu/);
    expect(node.leftovers()).toEqual([]);
    // Once they are whole again, it can be started after all.
    renameSync(join(node.folder, core), join(images(), core));
    const reached = counted().at(-1) ?? 0;
    await tested.runtime.start(ref('u'), {});
    await countsPast(reached + 3);
    await tested.runtime.delete(ref('u'));
    await expectNothingLeft();
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
  });

  it('can be given up while it is being restored', async () => {
    await run('t');
    await tested.runtime.checkpoint(ref('t'), { imagePath: images(), exit: false }, {});
    await tested.runtime.delete(ref('t'));
    // criu waits for the rest of an empty file of pages for ever.
    writeFileSync(join(images(), readdirSync(images()).find((name) => name.startsWith('pages-')) ?? ''), '');
    await tested.runtime.create(record(node, 'u', { io: toLog(), restoreFrom: images() }), spec(node, sh('x')), {});
    const caller = new AbortController();
    const started = tested.runtime.start(ref('u'), { signal: caller.signal });
    await eventually(
      () => node.running().length,
      (count) => count > 1,
      'conmon and runc are at work',
    );
    caller.abort();
    await expect(started).rejects.toThrow(CancelledError);
    await expectNothingLeft();
    await tested.runtime.delete(ref('u'));
    expect(existsSync(join(node.rootfs, 'bin/busybox'))).toBe(true);
  });
});

/** Types into a terminal and returns what came until the answer. */
async function type(id: string, text: string, answer: string): Promise<string> {
  await using attachment = await tested.runtime.attach(ref(id));
  await attachment.write(Buffer.from(text));
  let seen = '';
  for await (const { data } of attachment.output) {
    seen += Buffer.from(data).toString();
    if (seen.includes(answer)) return seen;
  }
  throw new Error(`the terminal ended after ${JSON.stringify(seen)}`);
}
