import { FailedPreconditionError } from '#errors/errors.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Container, ContainerStore } from '#task/containers.ts';
import { refKey, type TaskRef } from '#task/ids.ts';
import type { TaskManager } from '#task/task-manager.ts';
import type { Task } from '#task/task.ts';
import { fromProcessIo } from '../convert/io.ts';
import type { ListRequest, TaskSummary } from '../gen/runlet/v1/runlet.ts';
import type { DesiredState } from '../ports.ts';

/** Where what is told of tasks comes from. */
interface ViewOptions {
  readonly tasks: TaskManager;
  readonly containers: ContainerStore;
  readonly desired: DesiredState;
}

/** The order of tasks in every list. */
export function byName(a: { namespace: string; id: string }, b: { namespace: string; id: string }): number {
  return `${a.namespace}/${a.id}`.localeCompare(`${b.namespace}/${b.id}`);
}

/** A line for each task, container without one, and NodeTask without either, of the namespace and with the ids that are asked for. */
export function listTasks(options: ViewOptions, request: ListRequest): TaskSummary[] {
  const { tasks, containers, desired } = options;
  const wanted = ({ namespace, id }: TaskSummary) =>
    (request.namespace === '' || namespace === request.namespace) &&
    (request.ids.length === 0 || request.ids.includes(id));
  const withTask = tasks.list().map((task) => summary(options, task.ref, task, containers.find(task.ref)));
  const known = new Set(tasks.list().map(({ ref }) => refKey(ref)));
  const withoutTask = desired.withoutTask().filter(({ ref }) => !known.has(refKey(ref)));
  for (const { ref } of withoutTask) known.add(refKey(ref));
  const alone = containers.list().filter((container) => !known.has(refKey(container)));
  return [
    ...withTask,
    ...withoutTask.map(({ ref, status, image }) => ({
      ...summary(options, ref, undefined, containers.find(ref)),
      ...{ status, image },
    })),
    ...alone.map((container) => summary(options, container, undefined, container)),
  ]
    .filter(wanted)
    .toSorted(byName);
}

function summary(
  { desired }: ViewOptions,
  ref: TaskRef,
  task: Task | undefined,
  container: Container | undefined,
): TaskSummary {
  const exit = task?.exit;
  return {
    namespace: ref.namespace,
    id: ref.id,
    status: task?.status ?? '',
    pid: exit ? 0 : (task?.pid ?? 0),
    image: container?.image ?? '',
    exitStatus: exit?.status,
    createdAtMs: BigInt(Math.round(task?.record.createdAtMs ?? container?.createdAtMs ?? 0)),
    startedAtMs: BigInt(Math.round(task?.startedAtMs ?? 0)),
    finishedAtMs: BigInt(Math.round(exit?.atMs ?? 0)),
    restarts: desired.restarts(ref) ?? container?.recipe?.attempt ?? 0,
    reason: exit?.reason ?? '',
    command: container ? (specOf(container)?.process?.args ?? []) : [],
  };
}

function specOf(container: Container): RuntimeSpec | undefined {
  try {
    return JSON.parse(Buffer.from(container.spec.value, 'base64').toString('utf8')) as RuntimeSpec;
  } catch {
    return undefined; // a client may keep anything there
  }
}

/** Everything that is known of a task as JSON, for people and jq. Throws FailedPreconditionError when it is just going. */
export function inspectTask(options: ViewOptions, ref: TaskRef): string {
  const task = options.tasks.find(ref);
  const container = options.containers.find(ref);
  const nodeTask = options.desired.describe(ref);
  if (!task && !container && nodeTask === undefined) throw new FailedPreconditionError(`task ${refKey(ref)} is going`);
  const known = {
    namespace: ref.namespace,
    id: ref.id,
    ...(container
      ? {
          image: container.image,
          labels: container.labels,
          createdAt: new Date(container.createdAtMs).toISOString(),
          runtime: container.runtime.name,
        }
      : {}),
    ...(task ? { task: describeTask(task) } : {}),
    ...(nodeTask === undefined ? {} : { nodeTask }),
    ...(container ? { spec: specOf(container) } : {}),
  };
  return JSON.stringify(known, bigintAsNumber);
}

function describeTask(task: Task): object {
  const { record, exit, startedAtMs } = task;
  return {
    status: task.status,
    pid: task.pid,
    runtime: record.runtime,
    cgroup: record.cgroupPath,
    io: fromProcessIo(record.io),
    createdAt: new Date(record.createdAtMs).toISOString(),
    ...(startedAtMs === undefined ? {} : { startedAt: new Date(startedAtMs).toISOString() }),
    ...(exit
      ? {
          exit: {
            ...{ status: exit.status, reason: exit.reason, at: new Date(exit.atMs).toISOString() },
            ...exit.final,
          },
        }
      : {}),
    execs: task.execs.map((exec) => ({ id: exec.execId, pid: exec.pid, status: exec.status })),
    ...(Object.keys(record.owner).length > 0 ? { owner: record.owner } : {}),
    stats: task.stats(),
  };
}

function bigintAsNumber(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
