import { InvalidArgumentError, UnimplementedError } from '#errors/errors.ts';
import type { LinuxResources, ProcessSpec, RuntimeSpec } from '#oci/runtime-spec.ts';
import { parseExecId, parseTaskId, type ExecId, type TaskRef } from '#task/ids.ts';
import type { ContainerStore } from '#task/containers.ts';
import type { ExecProcess } from '#task/exec-process.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { packAny, parseJsonAny, toAny } from '../convert/any.ts';
import { fromProcessIo, toProcessIo } from '../convert/io.ts';
import { toMetric } from '../convert/metrics.ts';
import { toTimestamp } from '../convert/timestamp.ts';
import { CheckpointOptions, Options, ProcessDetails } from '../gen/containerd/runc/v1/options.ts';
import type {
  CheckpointTaskRequest,
  CreateTaskRequest,
  DeleteResponse,
  TasksServer,
} from '../gen/containerd/services/tasks/v1/tasks.ts';
import { Status, type Process } from '../gen/containerd/types/task.ts';
import type { Call, Handlers } from '../handler.ts';

export interface TasksOptions {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
}

const statuses = {
  created: Status.CREATED,
  running: Status.RUNNING,
  stopped: Status.STOPPED,
  deleted: Status.STOPPED,
  paused: Status.PAUSED,
  pausing: Status.PAUSING,
} as const;

function refOf(call: Call, id: string): TaskRef {
  return { namespace: call.namespace(), id: parseTaskId(id) };
}

/** containerd.services.tasks.v1.Tasks over the core. */
export function tasksService(handlers: Handlers, options: TasksOptions): TasksServer {
  const { tasks, containers } = options;
  const taskOf = (call: Call, id: string): Task => {
    const ref = refOf(call, id);
    containers.get(ref);
    return tasks.get(ref);
  };
  const processOf = (call: Call, id: string, execId: string) => taskOf(call, id).process(execIdOf(execId));
  const none = {};
  return {
    create: handlers.change('create', async (request, call) => {
      const task = await create(options, refOf(call, request.containerId), request, call);
      return { containerId: task.id, pid: task.pid };
    }),
    start: handlers.change('start', async (request, call) => ({
      pid: await processOf(call, request.containerId, request.execId).start({ signal: call.signal }),
    })),
    delete: handlers.change('delete', async (request, call) => {
      const task = taskOf(call, request.containerId);
      const exit = await tasks.delete(task.ref, { signal: call.signal });
      return deleted('', task.pid, exit);
    }),
    deleteProcess: handlers.change('delete-process', async (request, call) => {
      const process = taskOf(call, request.containerId).process(parseExecId(request.execId));
      if (!isExec(process)) throw new InvalidArgumentError('exec id cannot be empty: invalid argument');
      return deleted(process.execId, process.pid, await process.delete());
    }),
    get: handlers.read((request, call) => ({
      process: describe(processOf(call, request.containerId, request.execId)),
    })),
    list: handlers.read((_request, call) => ({ tasks: tasks.list(call.namespace()).map(describe) })),
    kill: handlers.change('kill', async (request, call) => {
      const process = processOf(call, request.containerId, request.execId);
      if (isExec(process)) await process.kill(request.signal);
      else await process.kill(request.signal, { all: request.all });
      return none;
    }),
    exec: handlers.change('exec', async (request, call) => {
      const spec = parseJsonAny(request.spec, 'the process specification') as ProcessSpec;
      const io = toProcessIo(request);
      await taskOf(call, request.containerId).exec(parseExecId(request.execId), { process: spec, io }, call);
      return none;
    }),
    resizePty: handlers.read(async (request, call) => {
      await processOf(call, request.containerId, request.execId).resize(request);
      return none;
    }),
    closeIo: handlers.read(async (request, call) => {
      if (request.stdin) await processOf(call, request.containerId, request.execId).closeStdin();
      return none;
    }),
    pause: handlers.change('pause', async (request, call) => {
      await taskOf(call, request.containerId).pause(call);
      return none;
    }),
    resume: handlers.change('resume', async (request, call) => {
      await taskOf(call, request.containerId).resume(call);
      return none;
    }),
    listPids: handlers.read(async (request, call) => {
      const pids = await taskOf(call, request.containerId).pids();
      return {
        processes: pids.map(({ pid, execId }) => ({
          pid,
          info:
            execId === undefined
              ? undefined
              : packAny('containerd.runc.v1.ProcessDetails', ProcessDetails, { execId: String(execId) }),
        })),
      };
    }),
    checkpoint: handlers.change('checkpoint', async (request, call) => {
      const task = taskOf(call, request.containerId);
      await task.checkpoint(toCheckpoint(request), call);
      return { descriptors: [] };
    }),
    update: handlers.change('update', async (request, call) => {
      const resources = parseJsonAny(request.resources, 'resources') as LinuxResources;
      await taskOf(call, request.containerId).update(resources, call);
      return none;
    }),
    metrics: handlers.read((request, call) => {
      const wanted = new Set(request.filters.map((filter) => /^id==(.+)$/.exec(filter)?.[1] ?? filter));
      const measured = tasks.list(call.namespace()).filter(({ id }) => wanted.size === 0 || wanted.has(id));
      return { metrics: measured.flatMap((task) => toMetric(task.id, task.stats('message'), Date.now()) ?? []) };
    }),
    wait: handlers.read(async (request, call) => {
      const exit = await processOf(call, request.containerId, request.execId).wait({ signal: call.signal });
      return { exitStatus: exit.status, exitedAt: toTimestamp(exit.atMs) };
    }),
  };
}

async function create(options: TasksOptions, ref: TaskRef, request: CreateTaskRequest, call: Call): Promise<Task> {
  const container = options.containers.get(ref);
  const spec = parseJsonAny(toAny(container.spec), `the specification of container ${ref.id}`) as RuntimeSpec;
  const runtime = toRuntime(container.runtime.name, request);
  const restoreFrom = restoredFrom(request);
  return await options.tasks.create(
    {
      ...ref,
      spec,
      io: toProcessIo(request),
      rootfs: request.rootfs.length > 0 ? request.rootfs : (container.recipe?.rootfs ?? []),
      ...runtime,
      ...(restoreFrom === undefined ? {} : { restoreFrom }),
    },
    { signal: call.signal },
  );
}

/** The binary and root that the options name. A path to a shim is refused: there are none here. */
function toRuntime(name: string, request: CreateTaskRequest): { runtime?: string; runtimeRoot?: string } {
  if (request.runtimePath || name.startsWith('/')) {
    throw new InvalidArgumentError(
      `runtime ${request.runtimePath || name}: a path to a shim is not supported: invalid argument`,
    );
  }
  if (request.options?.typeUrl !== 'containerd.runc.v1.Options') return {};
  const { binaryName, root } = Options.decode(request.options.value);
  return { ...(binaryName ? { runtime: binaryName } : {}), ...(root ? { runtimeRoot: root } : {}) };
}

function restoredFrom(request: CreateTaskRequest): string | undefined {
  if (request.checkpoint) throw noCheckpointImages();
  if (request.options?.typeUrl !== 'containerd.runc.v1.Options') return undefined;
  return Options.decode(request.options.value).criuImagePath || undefined;
}

function toCheckpoint(request: CheckpointTaskRequest) {
  const asked = CheckpointOptions.decode(request.options?.value ?? new Uint8Array());
  if (!asked.imagePath) throw noCheckpointImages();
  return {
    imagePath: asked.imagePath,
    ...(asked.workPath ? { workPath: asked.workPath } : {}),
    exit: asked.exit,
    openTcp: asked.openTcp,
    externalUnixSockets: asked.externalUnixSockets,
    terminal: asked.terminal,
    fileLocks: asked.fileLocks,
    emptyNamespaces: asked.emptyNamespaces,
  };
}

/** There is no store of content to put them into or take them from. */
function noCheckpointImages(): UnimplementedError {
  return new UnimplementedError(
    'runlet keeps no checkpoints as images: use `ctr tasks checkpoint --image-path DIR`, or `runlet checkpoint` and `runlet restore`',
  );
}

function execIdOf(text: string): ExecId | undefined {
  return text === '' ? undefined : parseExecId(text);
}

function isExec(process: Task | ExecProcess): process is ExecProcess {
  return 'execId' in process;
}

function describe(process: Task | ExecProcess): Process {
  const exit = process.exit;
  return {
    ...fromProcessIo(process.io),
    containerId: '',
    id: isExec(process) ? process.execId : process.id,
    pid: process.pid,
    status: statuses[process.status],
    exitStatus: exit?.status ?? 0,
    exitedAt: toTimestamp(exit?.atMs),
  };
}

function deleted(id: string, pid: number, exit: { readonly status: number; readonly atMs: number }): DeleteResponse {
  return { id, pid, exitStatus: exit.status, exitedAt: toTimestamp(exit.atMs) };
}
