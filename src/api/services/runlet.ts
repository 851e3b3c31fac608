import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import type { Clock } from '#async/clock.ts';
import type { ContainerStore } from '#task/containers.ts';
import { parseNamespace, parseTaskId, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import type {
  CreateReply,
  ImageSummary,
  ListRequest,
  PullImageReply,
  RunletServer,
  TaskName,
} from '../gen/runlet/v1/runlet.ts';
import type { Handlers } from '../handler.ts';
import type { DesiredState, ImageAdmin, ImageInfo, LogSource, Progress, TaskMaker } from '../ports.ts';
import { toLogChoice } from '../convert/log-choice.ts';
import { toUsage } from '../convert/usage.ts';
import { attach } from './attach.ts';
import { info } from './info.ts';
import { byName, inspectTask, listTasks } from './task-views.ts';

export interface RunletOptions {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly maker: TaskMaker;
  readonly images: ImageAdmin;
  readonly logs: LogSource;
  readonly desired: DesiredState;
  readonly version: string;
  /** The node's name in desired state. */
  readonly nodeName: string;
  readonly clock: Clock;
  /** Where checkpoints go whose caller names no folder. */
  readonly checkpointFolder: (ref: TaskRef) => string;
}

/** runlet.v1.Runlet: what containerd's services lack for our own client. */
export function runletService(handlers: Handlers, options: RunletOptions): RunletServer {
  const { tasks, containers, maker, images, logs, clock } = options;
  return {
    create: handlers.stream('create', async (request, { signal }, send: (reply: CreateReply) => Promise<void>) => {
      const namespace = parseNamespace(request.namespace);
      const id = parseTaskId(request.id || `t-${randomUUID().slice(0, 8)}`);
      const { labels, baseDir, stdinOnce, user } = request;
      const made = await maker.make(
        {
          namespace,
          id,
          spec: parseJson('spec_json', request.specJson),
          labels,
          baseDir,
          stdinOnce,
          ...(user ? { user } : {}),
        },
        {
          signal,
          onProgress: (progress) => void send({ step: { $case: 'progress', value: toProgress(progress) } }),
          onWarning: (value) => void send({ step: { $case: 'warning', value } }),
        },
      );
      await send({ step: { $case: 'created', value: { namespace: made.namespace, id: made.id } } });
    }),
    restart: handlers.change('restart', async (request, { signal }) => ({
      pid: (await maker.restart(refOf(request), { signal })).pid,
    })),
    remove: handlers.change('remove', async (request, { signal }) => {
      await maker.remove(refOf(request), { force: request.force, signal });
      return {};
    }),
    stop: handlers.change('stop', async (request, { signal }) => {
      const { graceMs } = request;
      const task = tasks.get(refOf(request));
      await maker.stop(task.ref, { signal, ...(graceMs === undefined ? {} : { graceMs }) });
      const { status, reason } = await task.wait({ signal });
      return { exit: { status, reason } };
    }),
    update: handlers.change('update', async (request, { signal }) => ({
      warnings: await maker.update(refOf(request), parseJson('resources_json', request.resourcesJson), { signal }),
    })),
    checkpoint: handlers.change('checkpoint', async (request, { signal }) => {
      const task = tasks.get(refOf(request));
      const imagePath = checkpointPath(options, task.ref, request.path);
      const { stop, openTcp, externalUnixSockets, fileLocks } = request;
      await task.checkpoint({ imagePath, exit: stop, openTcp, externalUnixSockets, fileLocks }, { signal });
      return { path: imagePath };
    }),
    restore: handlers.change('restore', async (request, { signal }) => {
      const ref = refOf(request);
      const task = await maker.restore(ref, { path: checkpointPath(options, ref, request.path), signal });
      return { pid: task.pid };
    }),
    info: handlers.read(() => info(options)),
    list: handlers.read((request) => ({ tasks: listTasks(options, request) })),
    inspect: handlers.read((request) => ({ json: inspectTask(options, refOf(request)) })),
    stats: handlers.read((request) => ({
      monotonicMs: clock.monotonicMs(),
      tasks: chosen(tasks, request).flatMap((task) => toUsage(task) ?? []),
    })),
    attach: handlers.duplex((requests, call, send) =>
      attach({ tasks, containers, maker, handlers }, requests, call, send),
    ),
    logs: handlers.stream(undefined, async (request, { signal }, send) => {
      // Logs outlive their task: whether there are any is for the source to say.
      const ref = { namespace: parseNamespace(request.namespace), id: parseTaskId(request.id) };
      const lines = logs.read(ref, { ...toLogChoice(request), signal });
      for await (const { time, stream, data } of lines) await send({ time, stream, data: Buffer.from(data) });
    }),
    drain: handlers.stream('drain', async ({ graceMs }, { signal }, send) => {
      await options.desired.suspend?.();
      const running = tasks.list().filter(({ status }) => status !== 'stopped');
      await Promise.all(
        running.map(async ({ ref }) => {
          const name = { namespace: ref.namespace, id: ref.id };
          try {
            await maker.stop(ref, { signal, ...(graceMs === undefined ? {} : { graceMs }) });
            await send({ ...name, outcome: 'stopped', message: '' });
          } catch (error) {
            await send({ ...name, outcome: 'failed', message: error instanceof Error ? error.message : String(error) });
          }
        }),
      );
    }),
    pullImage: handlers.stream(
      'pull-image',
      async ({ reference, baseDir }, { signal }, send: (reply: PullImageReply) => Promise<void>) => {
        const onProgress = (progress: Progress) =>
          void send({ step: { $case: 'progress', value: toProgress(progress) } });
        const image = await images.pull(reference, { baseDir, signal, onProgress });
        await send({ step: { $case: 'image', value: toImage(image) } });
      },
    ),
    listImages: handlers.read(async () => ({ images: (await images.list()).map(toImage) })),
    removeImage: handlers.change('remove-image', async ({ reference }) => {
      await images.remove(reference);
      return {};
    }),
    pruneImages: handlers.change('prune-images', async () => {
      const { removed, bytes } = await images.prune();
      return { removed, freedBytes: BigInt(bytes) };
    }),
  };

  function refOf({ namespace, id }: TaskName): TaskRef {
    const ref = { namespace: parseNamespace(namespace), id: parseTaskId(id) };
    if (!tasks.find(ref) && !containers.find(ref) && options.desired.describe(ref) === undefined) {
      throw new NotFoundError(`no task ${id} in namespace ${namespace}`);
    }
    return ref;
  }
}

function parseJson(field: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new InvalidArgumentError(`${field} is not JSON`, { cause: error });
  }
}

/** The agent's working directory is nobody's business, so a relative path means nothing here. */
function checkpointPath({ checkpointFolder }: RunletOptions, ref: TaskRef, path: string): string {
  if (path === '') return checkpointFolder(ref);
  if (!path.startsWith('/')) throw new InvalidArgumentError(`path must be absolute: ${path}`);
  return path;
}

function chosen(tasks: TaskManager, { namespace, ids }: ListRequest): readonly Task[] {
  const found = tasks.list(namespace === '' ? undefined : parseNamespace(namespace));
  return found.filter(({ id }) => ids.length === 0 || ids.includes(id)).toSorted((a, b) => byName(a.ref, b.ref));
}

function toProgress({ phase, doneBytes, totalBytes }: Progress) {
  return { phase, doneBytes: BigInt(doneBytes ?? 0), totalBytes: BigInt(totalBytes ?? 0) };
}

function toImage({ reference, digest, imageId, sizeBytes, pulledAtMs, inUse }: ImageInfo): ImageSummary {
  return {
    reference,
    digest,
    imageId,
    sizeBytes: BigInt(sizeBytes),
    pulledAtMs: BigInt(Math.round(pulledAtMs)),
    inUse,
  };
}
