import { join } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { NotFoundError } from '#errors/errors.ts';
import type { Images } from '#images/images.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Container, ContainerStore } from '#task/containers.ts';
import { refKey } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { checkpointPath } from './checkpoint-folder.ts';
import { failed, type Outcome } from './record.ts';
import type { Asked, OneShotRequest } from './request.ts';
import { runCheckpoint } from './run-checkpoint.ts';
import { runExec } from './run-exec.ts';
import { runSignal } from './run-signal.ts';
import { taskOf } from './target.ts';

export interface ActContext {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly images: Pick<Images, 'layerPath'>;
  /** The agent's durable folder. */
  readonly root: string;
  readonly clock: Clock;
}

/** What an act is done to, and for whom. */
export interface Act {
  readonly request: OneShotRequest;
  readonly asked: Asked;
  readonly taskUID: string;
  /** As the NodeTask's status says it. */
  readonly imageID?: string;
  readonly signal: AbortSignal;
}

/** Does what a request asks for, once. Undefined when the agent stops meanwhile and nobody will know. */
export async function act(context: ActContext, what: Act): Promise<Outcome | undefined> {
  const { asked, request, taskUID } = what;
  const task = taskOf(context.tasks, { namespace: request.namespace, name: asked.spec.taskName, uid: taskUID });
  if (!task) return failed('TaskNotRunning', `the task of NodeTask ${asked.spec.taskName} has just gone`);
  switch (asked.kind) {
    case 'NodeTaskExec': {
      const { process } = specOf(context.containers.get(task.ref));
      if (!process) throw new NotFoundError(`task ${refKey(task.ref)} has no process to run another beside`);
      const { clock } = context;
      return await runExec({ task, process, uid: request.uid, spec: asked.spec, clock, signal: what.signal });
    }
    case 'NodeTaskSignal':
      return await runSignal(task, asked.spec);
    case 'NodeTaskCheckpoint':
      return await checkpoint(context, task, what, asked);
  }
}

async function checkpoint(
  { containers, images, root, clock }: ActContext,
  task: Task,
  { request, taskUID, imageID }: Act,
  { spec }: Extract<Asked, { kind: 'NodeTaskCheckpoint' }>,
): Promise<Outcome> {
  const container = containers.get(task.ref);
  const { recipe } = container;
  if (!recipe) throw new NotFoundError(`task ${refKey(task.ref)} was not made from a NodeTask`);
  const path = checkpointPath(request);
  return await runCheckpoint({
    ...{ task, spec, uid: request.uid, taskUID, path, recipe, clock },
    folder: join(root, path),
    runtime: specOf(container),
    upper: images.layerPath(refKey(task.ref)),
    ...(imageID === undefined ? {} : { imageID }),
  });
}

/** Our own writing: the specification that the task was made with. */
function specOf({ spec }: Container): RuntimeSpec {
  return JSON.parse(Buffer.from(spec.value, 'base64').toString('utf8')) as RuntimeSpec;
}
