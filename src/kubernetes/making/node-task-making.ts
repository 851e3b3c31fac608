import type { Clock } from '#async/clock.ts';
import { Rollback } from '#async/rollback.ts';
import { AlreadyExistsError, FailedPreconditionError, errorMessage } from '#errors/errors.ts';
import { listFoldersSync } from '#host/files.ts';
import type { Log } from '#log/log.ts';
import { specTypeUrl, type Container, type ContainerStore } from '#task/containers.ts';
import { isIdentifier, parseNamespace, parseTaskId, refKey, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { releaseMounts, removeVolumes } from '../node-task/apply-volumes.ts';
import type { NodeTask } from '../node-task/types.ts';
import { keepLogs, removeLogs } from './kept-logs.ts';
import type { MadeTask, MakeOptions, PreparedTask, RemoveOptions, TaskMaking } from './making.ts';
import { logFolder, prepareTask, volumesFolder, type PrepareContext } from './prepare.ts';
import { stopTask } from './stop-task.ts';

export interface MakingContext extends PrepareContext {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when logs have lost their object and are kept for a time. */
  readonly logsKept: () => void;
}

/** TaskMaking over the core and the images. */
export class NodeTaskMaking implements TaskMaking {
  readonly #context: MakingContext;

  constructor(context: MakingContext) {
    this.#context = context;
  }

  prepare(task: NodeTask, options: MakeOptions): Promise<PreparedTask> {
    return prepareTask(this.#context, task, options);
  }

  async make(nodeTask: NodeTask, options: MakeOptions): Promise<MadeTask> {
    const { tasks, containers } = this.#context;
    const { ref, signal } = options;
    this.#refuseTaken(ref);
    await using undo = new Rollback();
    const prepared = await this.prepare(nodeTask, options);
    undo.add(() => prepared.undo());
    const task = await tasks.create(prepared.request, signal ? { signal } : {});
    undo.add(async () => void (await tasks.delete(ref)));
    const container = toContainer(nodeTask, prepared, options, containers.find(ref));
    if (containers.find(ref)) await containers.update({ ...containers.get(ref), ...container });
    else await containers.create(container);
    undo.keep();
    return { ...prepared, task };
  }

  async endRun(ref: TaskRef, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { tasks, images, root } = this.#context;
    if (tasks.find(ref)) await tasks.delete(ref, signal ? { signal } : {});
    // A hostPath may hold the agent's own folders, and so the layer that goes next.
    await releaseMounts(volumesFolder(root, ref));
    await images.removeRootfs(refKey(ref));
  }

  async remove(ref: TaskRef, options: RemoveOptions): Promise<void> {
    const { containers, root, logsKept } = this.#context;
    await this.endRun(ref, options.signal ? { signal: options.signal } : {});
    await removeVolumes(volumesFolder(root, ref));
    if (!options.leaveLogs) await this.#putLogsAway(ref, options);
    // Last: until here another try finds out what there is to remove.
    if (containers.find(ref)) await containers.delete(ref);
    if (options.leaveLogs || options.keepLogsAs !== undefined) logsKept();
  }

  async sweep(): Promise<void> {
    const { tasks, containers, images, root } = this.#context;
    for (const task of tasks.list()) if (this.#isHalfMade(task)) await this.#try(() => this.#undoTask(task));
    const owned = (key: string) => {
      const ref = parseKey(key);
      return ref !== undefined && (containers.find(ref) !== undefined || tasks.find(ref) !== undefined);
    };
    for (const key of await images.layers()) if (!owned(key)) await this.#try(() => images.removeRootfs(key));
    for (const key of twoLevels(`${root}/volumes`)) {
      if (!owned(key)) await this.#try(() => removeVolumes(`${root}/volumes/${key}`));
    }
  }

  async #putLogsAway(ref: TaskRef, { keepLogsAs }: RemoveOptions): Promise<void> {
    const { logDir, clock } = this.#context;
    if (keepLogsAs === undefined) await removeLogs(logFolder(logDir, ref));
    else await keepLogs(logFolder(logDir, ref), keepLogsAs, clock.nowMs());
  }

  #refuseTaken(ref: TaskRef): void {
    const task = this.#context.tasks.find(ref);
    if (task) throw new AlreadyExistsError(`task ${refKey(ref)} already exists: it is ${task.status}`);
  }

  /** The container record is written last, so a task of ours without one, or with one of another run, was cut off. */
  #isHalfMade({ ref, record, status }: Task): boolean {
    if (record.owner['maker'] !== 'runlet' || status !== 'created') return false;
    const attempt = this.#context.containers.find(ref)?.recipe?.attempt;
    return attempt === undefined || String(attempt) !== record.owner['attempt'];
  }

  async #undoTask({ ref }: Task): Promise<void> {
    this.#context.log.info({ ...ref }, 'removing a task that was cut off while it was made');
    await this.endRun(ref);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.log.warn({ reason: errorMessage(error) }, 'cannot remove what is left of a task');
    }
  }
}

/** Ends a task if it runs, so that it can be removed. Throws FailedPreconditionError where that is not wanted. */
export async function endForRemoval(
  task: Task,
  options: { readonly force: boolean; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (task.exit || task.status === 'created') return;
  if (!options.force) {
    throw new FailedPreconditionError(
      `task ${refKey(task.ref)} is ${task.status}: stop it first, or remove it by force`,
    );
  }
  await stopTask(task, { clock: options.clock, stopSignal: 9, graceMs: 0, signal: options.signal });
}

function toContainer(
  { spec, metadata }: NodeTask,
  { request, image, stopSignal }: PreparedTask,
  { ref, attempt, baseDir = '/', labels = metadata.labels ?? {}, stdinOnce = false, user }: MakeOptions,
  before: Container | undefined,
): Omit<Container, 'createdAtMs' | 'updatedAtMs'> {
  return {
    ...ref,
    image: spec.image ?? '',
    labels: { ...labels },
    spec: { typeUrl: specTypeUrl, value: Buffer.from(JSON.stringify(request.spec)).toString('base64') },
    runtime: { name: 'io.containerd.runc.v2' },
    snapshotter: '',
    snapshotKey: '',
    extensions: before?.extensions ?? {},
    sandbox: '',
    recipe: {
      ...{ spec, baseDir, attempt, stdinOnce, stopSignal },
      ...(image ? { imageDigest: image.digest } : {}),
      ...(user === undefined ? {} : { user }),
      rootfs: request.rootfs,
    },
  };
}

function parseKey(key: string): TaskRef | undefined {
  const [namespace = '', id = '', ...rest] = key.split('/');
  if (!isIdentifier(namespace) || !isIdentifier(id) || rest.length > 0) return undefined;
  return { namespace: parseNamespace(namespace), id: parseTaskId(id) };
}

function twoLevels(folder: string): readonly string[] {
  return listFoldersSync(folder).flatMap((namespace) =>
    listFoldersSync(`${folder}/${namespace}`).map((id) => `${namespace}/${id}`),
  );
}
