import { describe, expect, it } from 'vitest';
import { createTask, execId, fakeNode, inShort, recoveredNode, type FakeNode } from '../../test/support/tasks.ts';
import type { Task } from './task.ts';

const process = { args: ['forever'], cwd: '/' };

/** A node with a running task and a running exec in it. */
async function busyNode(): Promise<FakeNode & { readonly task: Task }> {
  const node = await recoveredNode();
  const task = await node.manager.create(createTask('web', { owner: { uid: 'u1' } }));
  await task.start();
  await (await task.exec(execId('e1'), { process, io: task.io })).start();
  return { ...node, task };
}

async function nextAgent(before: FakeNode): Promise<FakeNode> {
  await before.manager.close();
  return await recoveredNode(before);
}

describe('recovery', () => {
  it('takes on what runs, with its pid, its start and its execs, and tells of nothing', async () => {
    const before = await busyNode();
    const { manager, events, runtime } = await nextAgent(before);
    const task = manager.get(before.task.ref);
    expect([task.status, task.pid, task.startedAtMs]).toEqual(['running', before.task.pid, before.task.startedAtMs]);
    expect(task.record).toEqual(before.task.record);
    expect(task.execs.map((exec) => [exec.execId, exec.phase, exec.pid])).toEqual([
      ['e1', 'running', before.task.execs[0]?.pid],
    ]);
    expect(events).toEqual([]);
    runtime.end(task.ref, { status: 3 });
    expect(events.map(inShort)).toEqual(['exit e1 137', 'exit web 3']);
  });

  it('takes on created, restoring and paused tasks as they are', async () => {
    const before = await recoveredNode();
    await before.manager.create(createTask('made'));
    await before.manager.create(createTask('images', { restoreFrom: '/images' }));
    const paused = await before.manager.create(createTask('still'));
    await paused.start();
    await paused.pause();
    const { manager } = await nextAgent(before);
    expect(Object.fromEntries(manager.list().map((task) => [task.id, task.phase]))).toEqual({
      made: 'created',
      images: 'restoring',
      still: 'paused',
    });
    expect(manager.get(paused.ref).execs).toEqual([]);
  });

  it('knows how a task ended while no agent ran', async () => {
    const before = await busyNode();
    await before.manager.close();
    before.runtime.end(before.task.ref, { status: 9 });
    const { manager, events } = await recoveredNode(before);
    const task = manager.get(before.task.ref);
    expect([task.status, (await task.wait()).status]).toEqual(['stopped', 9]);
    expect(events).toEqual([]);
    expect((await manager.delete(task.ref)).status).toBe(9);
  });

  it('tells of what nobody saw end as 255 and Lost, execs first', async () => {
    const before = await busyNode();
    await before.manager.close();
    const found = before.machine.task(before.task.ref);
    if (found) found.init.lost = true;
    for (const exec of found?.execs.values() ?? []) exec.process.lost = true;
    const { manager, events } = await recoveredNode(before);
    expect(events.map(inShort)).toEqual(['exit e1 255', 'exit web 255']);
    expect(manager.get(before.task.ref).exit).toMatchObject({ status: 255, reason: 'Lost' });
  });

  it('holds the end of a first process while an exec of it still runs', async () => {
    const before = await busyNode();
    await before.manager.close();
    const found = before.machine.task(before.task.ref);
    if (found) found.init.exit = { status: 2, atMs: 1, reason: 'Exited' };
    const { manager, events, runtime } = await recoveredNode(before);
    const task = manager.get(before.task.ref);
    expect(events).toEqual([]);
    runtime.end({ ...task.ref, execId: execId('e1') }, { status: 137 });
    expect(events.map(inShort)).toEqual(['exit e1 137', 'exit web 2']);
    expect(task.status).toBe('stopped');
  });

  it('knows nothing of a create that was cut off, and its id is free', async () => {
    const before = await recoveredNode();
    const held = before.runtime.controls.hold('create');
    const creating = before.manager.create(createTask('web'));
    await held.reached;
    const { manager, machine } = await recoveredNode(before);
    expect([manager.list(), machine.tasks.size]).toEqual([[], 0]);
    await manager.create(createTask('web'));
    held.release();
    await creating;
  });

  it('hands on what the runtime tells before its findings are taken on', async () => {
    const before = await busyNode();
    await before.manager.close();
    const node = fakeNode(before);
    const recover = node.runtime.recover.bind(node.runtime);
    node.runtime.recover = async (listener) => {
      const found = await recover(listener);
      node.runtime.end(before.task.ref, { status: 4 });
      return found;
    };
    await node.manager.recover();
    expect(node.events.map(inShort)).toEqual(['exit e1 137', 'exit web 4']);
  });
});
