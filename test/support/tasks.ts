import { silentLog } from '#log/log.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { TaskEvent } from '#task/events.ts';
import { parseExecId, parseNamespace, parseTaskId, type ExecId, type TaskRef } from '#task/ids.ts';
import { noIo } from '#task/io.ts';
import { TaskManager } from '#task/task-manager.ts';
import type { CreateTask } from '#task/task-record.ts';
import { FakeMachine } from './fake-machine.ts';
import { FakeRuntime } from './fake-runtime.ts';
import { ManualClock } from './manual-clock.ts';

/** A manager over a fake runtime, what it published, and the clock. */
export interface FakeNode {
  readonly clock: ManualClock;
  readonly machine: FakeMachine;
  readonly runtime: FakeRuntime;
  readonly manager: TaskManager;
  readonly events: TaskEvent[];
}

/** A node of its own, or the next agent on the machine and clock of another. Not recovered yet. */
export function fakeNode(before?: FakeNode): FakeNode {
  const clock = before?.clock ?? new ManualClock();
  const machine = before?.machine ?? new FakeMachine();
  const runtime = new FakeRuntime({ machine, clock });
  const manager = new TaskManager({
    runtime,
    clock,
    log: silentLog(),
    defaultRuntime: 'runc',
    runtimeRootOf: (namespace) => `/run/fake/runc/${namespace}`,
    cgroupPathOf: ({ namespace, id }, requested) => `/runlet${requested ?? `/${namespace}/${id}`}`,
  });
  const events: TaskEvent[] = [];
  manager.events.subscribe((event) => events.push(event));
  return { clock, machine, runtime, manager, events };
}

/** A node that is ready for tasks. */
export async function recoveredNode(before?: FakeNode): Promise<FakeNode> {
  const node = fakeNode(before);
  await node.manager.recover();
  return node;
}

export function taskRef(id: string, namespace = 'default'): TaskRef {
  return { namespace: parseNamespace(namespace), id: parseTaskId(id) };
}

export function execId(text: string): ExecId {
  return parseExecId(text);
}

/** A specification that runs `args`, by default until it is ended. */
export function specOf(args: readonly string[] = ['forever'], ownPidNamespace = true): RuntimeSpec {
  return {
    ociVersion: '1.0.2',
    process: { args, cwd: '/' },
    root: { path: '/rootfs' },
    linux: { namespaces: ownPidNamespace ? [{ type: 'pid' }, { type: 'mount' }] : [{ type: 'mount' }] },
  };
}

/** What makes a task without streams. */
export function createTask(id: string, more: Partial<CreateTask> = {}): CreateTask {
  return { ...taskRef(id), spec: specOf(), io: noIo, rootfs: [], ...more };
}

/** An event in a few words, such as `exit e1 137`. */
export function inShort(event: TaskEvent): string {
  const name = event.topic.slice('/tasks/'.length);
  switch (event.topic) {
    case '/tasks/exit':
      return `${name} ${event.id} ${event.exitStatus}`;
    case '/tasks/delete':
      return `${name} ${event.exitStatus}`;
    case '/tasks/exec-added':
    case '/tasks/exec-started':
      return `${name} ${event.execId}`;
    case '/tasks/create':
    case '/tasks/start':
    case '/tasks/oom':
    case '/tasks/paused':
    case '/tasks/resumed':
    case '/tasks/checkpointed':
      return name;
  }
}

/** Lets everything that is due without a timer happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
