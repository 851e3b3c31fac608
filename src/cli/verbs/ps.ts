import { unary } from '#api/client.ts';
import type { TaskSummary } from '#api/gen/runlet/v1/runlet.ts';
import type { Invocation } from '../command.ts';
import { formatTable, type Column } from '../output/table.ts';
import { formatDuration } from '../output/units.ts';
import { Session } from '../session.ts';

/** Lists tasks, and containers without one. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { flags, shell, args } = invocation;
  const request = { namespace: session.namespace ?? '', ids: [...args] };
  const { tasks } = await unary(session.api.runlet.list.bind(session.api.runlet), request);
  await session.print({
    json: () => tasks.map(toJson),
    text: () =>
      flags.is('quiet')
        ? tasks.map(({ id }) => `${id}\n`).join('')
        : formatTable(columns(session.namespace === undefined, shell.nowMs()), tasks),
  });
}

/** A task as `ps -o json` shows it; what does not apply is absent. */
export function toJson(task: TaskSummary): object {
  return {
    namespace: task.namespace,
    id: task.id,
    ...(task.status ? { status: task.status.toLowerCase() } : {}),
    ...(task.pid ? { pid: task.pid } : {}),
    ...(task.image ? { image: task.image } : {}),
    ...(task.exitStatus === undefined ? {} : { exitStatus: task.exitStatus }),
    ...(task.reason ? { reason: task.reason } : {}),
    ...time('createdAt', task.createdAtMs),
    ...time('startedAt', task.startedAtMs),
    ...time('finishedAt', task.finishedAtMs),
    restarts: task.restarts,
    ...(task.command.length > 0 ? { command: task.command } : {}),
  };
}

function time(name: string, ms: bigint): object {
  return ms === 0n ? {} : { [name]: new Date(Number(ms)).toISOString() };
}

function columns(withNamespace: boolean, nowMs: number): readonly Column<TaskSummary>[] {
  const since = (ms: bigint) => (ms === 0n ? undefined : formatDuration(nowMs - Number(ms)));
  return [
    ...(withNamespace ? [{ heading: 'NAMESPACE', cell: (task: TaskSummary) => task.namespace }] : []),
    { heading: 'ID', cell: (task) => task.id },
    { heading: 'STATUS', cell: (task) => task.status.toLowerCase() },
    { heading: 'PID', cell: (task) => (task.pid ? String(task.pid) : undefined), right: true },
    { heading: 'EXIT', cell: exitText },
    { heading: 'RESTARTS', cell: (task) => String(task.restarts), right: true },
    { heading: 'AGE', cell: (task) => since(task.startedAtMs || task.createdAtMs) },
    { heading: 'IMAGE', cell: (task) => task.image },
  ];
}

function exitText({ exitStatus, reason }: TaskSummary): string | undefined {
  if (exitStatus === undefined) return undefined;
  return reason === '' || reason === 'Exited' ? String(exitStatus) : `${exitStatus} ${reason}`;
}
