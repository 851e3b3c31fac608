import { describe, expect, it } from 'vitest';
import { createTask, execId, inShort, recoveredNode, specOf, taskRef } from '../../test/support/tasks.ts';

describe('Task', () => {
  it('tells of create, start, exit and delete in this order', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    const waiting = task.wait();
    await task.start();
    runtime.end(task.ref, { status: 7 });
    const exit = await manager.delete(task.ref);
    expect(exit.status).toBe(7);
    expect(await waiting).toBe(exit);
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 7', 'delete 7']);
    expect(manager.find(taskRef('web'))).toBeUndefined();
  });

  it('tells of the start of a process that ended before the call returned, then of its end', async () => {
    const { manager, events } = await recoveredNode();
    const task = await manager.create(createTask('web', { spec: specOf(['exit', '3']) }));
    expect(await task.start()).toBe(task.pid);
    expect(task.status).toBe('stopped');
    expect(events.map(inShort)).toEqual(['create', 'start', 'exit web 3']);
  });

  it('tells of the execs before the first process', async () => {
    const { manager, runtime, events } = await recoveredNode();
    const task = await manager.create(createTask('web'));
    await task.start();
    const exec = await task.exec(execId('e1'), { process: { args: ['forever'], cwd: '/' }, io: task.io });
    await exec.start();
    runtime.end(task.ref);
    expect(events.map(inShort).slice(-2)).toEqual(['exit e1 137', 'exit web 0']);
  });
});
