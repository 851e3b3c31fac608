import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '#task/task.ts';
import { createTask, recoveredNode, settle, specOf, type FakeNode } from '../../../test/support/tasks.ts';
import { stopTask } from './stop-task.ts';

let node: FakeNode;
beforeEach(async () => {
  node = await recoveredNode();
});
afterEach(() => node.manager.close());

async function created(args = ['forever']): Promise<Task> {
  return await node.manager.create(createTask('web', { spec: specOf(args) }));
}

async function running(args = ['forever']): Promise<Task> {
  const task = await created(args);
  await task.start();
  return task;
}

const stop = (task: Task, more: { readonly stopSignal?: number; readonly graceMs?: number } = {}) =>
  stopTask(task, { clock: node.clock, stopSignal: 15, graceMs: 10_000, ...more });

describe('stopTask', () => {
  it('ends a task by its own signal and leaves no timer behind', async () => {
    const task = await running();
    await stop(task, { stopSignal: 10 });
    expect(task.exit?.status).toBe(128 + 10);
    expect(node.clock.pending).toBe(0);
  });

  it('kills at once what was never started, and where there is no grace', async () => {
    const task = await created();
    await stop(task);
    expect(task.exit?.status).toBe(137);
    await node.manager.delete(task.ref);
    const another = await running();
    await stop(another, { graceMs: 0 });
    expect(another.exit?.status).toBe(137);
  });

  it('thaws what is frozen', async () => {
    const task = await running();
    await task.pause();
    await stop(task);
    expect(task.exit?.status).toBe(128 + 15);
  });

  it('is done with what has ended', async () => {
    const task = await running();
    await task.kill(9);
    await settle();
    await stop(task);
    expect(task.exit?.status).toBe(137);
  });
});
