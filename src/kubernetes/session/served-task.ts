import { NotFoundError } from '#errors/errors.ts';
import type { ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import type { ContainerStore } from '#task/containers.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { taskOf } from '../one-shot/target.ts';
import { toTaskRef } from '../reconcile/names.ts';
import { objectKey, type NodeTaskSource } from '../reconcile/source.ts';
import type { AnnouncedSession } from './announced.ts';
import { SessionRefusedError } from './record.ts';

/** What a session is served from. */
export interface ServedTask {
  readonly ref: TaskRef;
  /** The NodeTask's. */
  readonly uid: string;
  /** Absent while it has none, as between two runs. */
  readonly task?: Task;
}

/** The NodeTask that a session names, on this node. Throws SessionRefusedError. */
export function findServed(
  { source, tasks }: { readonly source: NodeTaskSource; readonly tasks: TaskManager },
  { namespace, asked }: AnnouncedSession,
): ServedTask {
  const { taskName: name = '', taskUID } = asked?.spec ?? {};
  const object = source.get(objectKey({ namespace, name }));
  if (!object) {
    const what = source.synced
      ? `there is no NodeTask ${namespace}/${name} on this node`
      : 'the NodeTasks of this node are not known yet';
    throw new SessionRefusedError('not-found', 'TaskNotFound', what);
  }
  if (taskUID !== undefined && taskUID !== object.uid) {
    const message = `NodeTask ${namespace}/${name} is another one than spec.taskUID says, with UID ${object.uid}`;
    throw new SessionRefusedError('failed-precondition', 'TaskNotFound', message);
  }
  const task = taskOf(tasks, { namespace, name, uid: object.uid });
  return { ref: toTaskRef({ namespace, name }), uid: object.uid, ...(task ? { task } : {}) };
}

/** Its task, which has begun and not ended. Throws SessionRefusedError. */
export function aliveTask({ task, ref }: ServedTask): Task {
  if (task && !task.exit && task.phase !== 'created') return task;
  const what = task ? `is ${task.phase}` : 'is not there';
  throw new SessionRefusedError('failed-precondition', 'TaskNotRunning', `task ${refKey(ref)} ${what}`);
}

/** The process that a task was made with, which others in it are made like. Throws NotFoundError. */
export function processOf(containers: ContainerStore, ref: TaskRef): ProcessSpec {
  // Our own writing: the specification that the task was made with.
  const { spec } = containers.get(ref);
  const { process } = JSON.parse(Buffer.from(spec.value, 'base64').toString('utf8')) as RuntimeSpec;
  if (!process) throw new NotFoundError(`task ${refKey(ref)} has no process to run another beside`);
  return process;
}
