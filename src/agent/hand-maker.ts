import type { MakeRequest, ProgressOptions, TaskMaker } from '#api/ports.ts';
import type { Clock } from '#async/clock.ts';
import { KeyLocks } from '#async/key-locks.ts';
import { AlreadyExistsError, FailedPreconditionError, InvalidArgumentError } from '#errors/errors.ts';
import type { Images } from '#images/images.ts';
import { changeResources } from '#kubernetes/making/change-resources.ts';
import type { MakeOptions } from '#kubernetes/making/making.ts';
import { endForRemoval, type NodeTaskMaking } from '#kubernetes/making/node-task-making.ts';
import { stopTask } from '#kubernetes/making/stop-task.ts';
import { noConfigSource } from '#kubernetes/node-task/config-source.ts';
import { problemText } from '#kubernetes/node-task/problem.ts';
import type { NodeTask } from '#kubernetes/node-task/types.ts';
import { validateNodeTask } from '#kubernetes/node-task/validate.ts';
import type { MachineLimits } from '#oci/machine.ts';
import type { RuntimeSpec, UserSpec } from '#oci/runtime-spec.ts';
import type { Container, ContainerStore, Recipe } from '#task/containers.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import { noIo } from '#task/io.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';

export interface HandMakerOptions {
  readonly making: NodeTaskMaking;
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly images: Images;
  readonly nodeName: string;
  readonly machine: () => MachineLimits;
  readonly defaultPidsLimit: number;
  /** The folder that is a task's root, while it is there. */
  readonly rootOf: (task: Task) => string;
  readonly clock: Clock;
}

/** What a task is stopped by whose maker did not say: as other engines do. */
const usualStop = { stopSignal: 15, graceMs: 10_000 };

/** The longest host name that the kernel takes is 64 characters. */
const longestName = 63;

/** Makes, restarts, stops and removes tasks at the word of people on the node; one change a task at a time. */
export class HandMaker implements TaskMaker {
  readonly #options: HandMakerOptions;
  readonly #locks = new KeyLocks<string>();

  constructor(options: HandMakerOptions) {
    this.#options = options;
  }

  make(request: MakeRequest, options: ProgressOptions & { readonly onWarning: (text: string) => void }): Promise<Task> {
    const { namespace, id, baseDir, labels, stdinOnce, user } = request;
    const nodeTask = this.#parse(request, request.spec);
    const ref = { namespace, id };
    return this.#alone(ref, options.signal, async () => {
      const taken = this.#options.containers.find(ref) ?? this.#options.tasks.find(ref);
      if (taken) throw new AlreadyExistsError(`container "${id}" in namespace "${namespace}": already exists`);
      const made = await this.#options.making.make(nodeTask, {
        ...byHand(ref, 0),
        ...{ baseDir, labels, stdinOnce },
        ...(user === undefined ? {} : { user }),
        ...options,
      });
      return made.task;
    });
  }

  restart(ref: TaskRef, { signal }: { readonly signal: AbortSignal }): Promise<Task> {
    const { containers, tasks, making } = this.#options;
    return this.#alone(ref, signal, async () => {
      const container = containers.get(ref);
      const recipe = recipeOf(container);
      const nodeTask = this.#parse(ref, recipe.spec);
      const task = tasks.find(ref);
      if (task) await this.#stop(task, {}, signal);
      await making.endRun(ref, { signal });
      const made = await making.make(nodeTask, {
        ...byHand(ref, recipe.attempt + 1),
        baseDir: recipe.baseDir,
        labels: container.labels,
        stdinOnce: recipe.stdinOnce,
        ...(recipe.user === undefined ? {} : { user: recipe.user }),
        signal,
      });
      await made.task.start({ signal });
      return made.task;
    });
  }

  remove(ref: TaskRef, options: { readonly force: boolean; readonly signal: AbortSignal }): Promise<void> {
    const { tasks, clock, making } = this.#options;
    return this.#alone(ref, options.signal, async () => {
      const task = tasks.find(ref);
      if (task) await endForRemoval(task, { ...options, clock });
      await making.remove(ref, { signal: options.signal });
    });
  }

  async resolveUser(ref: TaskRef, user: string): Promise<UserSpec> {
    const { images, tasks, rootOf } = this.#options;
    const { uid, gid, additionalGids } = await images.userOf(rootOf(tasks.get(ref)), user);
    return { uid, gid, ...(additionalGids.length > 0 ? { additionalGids } : {}) };
  }

  update(ref: TaskRef, resources: unknown, { signal }: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    const { containers, tasks } = this.#options;
    return this.#alone(ref, signal, async () => {
      const task = tasks.get(ref);
      const container = containers.find(ref);
      const change = changeResources(container?.recipe?.spec, resources, this.#options);
      if ('problems' in change) throw new InvalidArgumentError(change.problems.map(problemText).join('; '));
      await task.update(change.linux, { signal });
      if (container?.recipe)
        await containers.update({ ...container, recipe: { ...container.recipe, spec: change.spec } });
      return change.notSupported;
    });
  }

  restore(ref: TaskRef, { path, signal }: { readonly path: string; readonly signal: AbortSignal }): Promise<Task> {
    const { containers, tasks } = this.#options;
    return this.#alone(ref, signal, async () => {
      const container = containers.get(ref);
      const before = tasks.find(ref);
      if (before && !before.exit) {
        throw new FailedPreconditionError(`task ${refKey(ref)} is ${before.status}: stop it before it is restored`);
      }
      // The streams are the container's, not the run's: what was open in the images is opened again.
      const io = before?.record.io ?? noIo;
      const owner = before?.record.owner ?? {};
      if (before) await tasks.delete(ref, { signal });
      const task = await tasks.create(
        { ...ref, spec: specOf(container), io, owner, rootfs: container.recipe?.rootfs ?? [], restoreFrom: path },
        { signal },
      );
      try {
        await task.start({ signal });
        return task;
      } catch (error) {
        await tasks.delete(ref);
        throw error;
      }
    });
  }

  async stop(ref: TaskRef, options: { readonly graceMs?: number; readonly signal: AbortSignal }): Promise<void> {
    await this.#stop(this.#options.tasks.get(ref), options, options.signal);
  }

  async #stop(task: Task, { graceMs }: { readonly graceMs?: number }, signal: AbortSignal): Promise<void> {
    const { clock, containers } = this.#options;
    const usual = stopOf(containers.find(task.ref)?.recipe);
    await stopTask(task, { clock, signal, ...usual, ...(graceMs === undefined ? {} : { graceMs }) });
  }

  /** The rules of a NodeTask; names of containers are wider than those of objects, so they are not looked at here. */
  #parse({ id }: TaskRef, spec: unknown): NodeTask {
    const object = { apiVersion: 'runlet.dev/v1alpha1', kind: 'NodeTask', metadata: { name: 'task' }, spec };
    const { task, problems } = validateNodeTask(object, { source: 'local', nodeName: this.#options.nodeName });
    if (problems) throw new InvalidArgumentError(problems.map(problemText).join('; '));
    return { ...task, metadata: { ...task.metadata, name: id.slice(0, longestName) } };
  }

  #alone<T>(ref: TaskRef, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(refKey(ref), work, signal);
  }
}

function byHand(ref: TaskRef, attempt: number): MakeOptions {
  return { ref, attempt, trust: 'person', owner: {}, config: noConfigSource };
}

function recipeOf(container: Container): Recipe {
  if (container.recipe) return container.recipe;
  throw new FailedPreconditionError(
    `container ${refKey(container)} was made over containerd's API, and who made it knows how to make it again: restart it there`,
  );
}

function stopOf(recipe: Recipe | undefined): { readonly stopSignal: number; readonly graceMs: number } {
  if (!recipe) return usualStop;
  const { terminationGracePeriodSeconds: seconds } = recipe.spec as NodeTask['spec'];
  return { stopSignal: recipe.stopSignal, graceMs: seconds * 1000 };
}

function specOf(container: Container): RuntimeSpec {
  return JSON.parse(Buffer.from(container.spec.value, 'base64').toString('utf8')) as RuntimeSpec;
}
