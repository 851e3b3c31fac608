import { unary } from '#api/client.ts';
import type { StatsReply, TaskUsage } from '#api/gen/runlet/v1/runlet.ts';
import type { Column } from '../output/table.ts';
import { formatBytes, formatCores } from '../output/units.ts';
import type { Session } from '../session.ts';

/** What a task uses, with its rate since the reading before. */
export interface Usage extends TaskUsage {
  /** Processors in use, on average between two readings; absent with one reading. */
  readonly cores?: number;
}

/** Reads what the tasks use now: all, or those with these ids. */
export async function readUsage(session: Session, ids: readonly string[]): Promise<StatsReply> {
  const { runlet } = session.api;
  return await unary(runlet.stats.bind(runlet), { namespace: session.namespace ?? '', ids: [...ids] });
}

/** Joins two readings: the numbers of the later one, the rates between them. */
export function toUsage(before: StatsReply | undefined, now: StatsReply): readonly Usage[] {
  const elapsedUsec = before === undefined ? 0 : (now.monotonicMs - before.monotonicMs) * 1000;
  const earlier = new Map(before?.tasks.map((task) => [`${task.namespace}/${task.id}`, task.cpuUsec]));
  return now.tasks.map((task) => {
    const from = earlier.get(`${task.namespace}/${task.id}`);
    if (from === undefined || task.cpuUsec === undefined || elapsedUsec <= 0 || task.cpuUsec < from) return task;
    return { ...task, cores: Number(task.cpuUsec - from) / elapsedUsec };
  });
}

/** The columns of `stats` and `top`. */
export function usageColumns(withNamespace: boolean): readonly Column<Usage>[] {
  return [
    ...(withNamespace ? [{ heading: 'NAMESPACE', cell: (task: Usage) => task.namespace }] : []),
    { heading: 'ID', cell: (task) => task.id },
    { heading: 'CPU', cell: (task) => cores(task.cores), right: true },
    { heading: 'CPU-LIMIT', cell: (task) => cores(task.cpuLimitCores), right: true },
    { heading: 'CPU-TIME', cell: (task) => seconds(task.cpuUsec), right: true },
    { heading: 'THROTTLED', cell: (task) => seconds(task.throttledUsec), right: true },
    { heading: 'MEMORY', cell: (task) => bytes(task.memoryWorkingSetBytes ?? task.memoryBytes), right: true },
    { heading: 'MEM-LIMIT', cell: (task) => bytes(task.memoryLimitBytes), right: true },
    { heading: 'MEM-PEAK', cell: (task) => bytes(task.memoryPeakBytes), right: true },
    { heading: 'PIDS', cell: (task) => count(task.pids), right: true },
    { heading: 'PIDS-LIMIT', cell: (task) => count(task.pidsLimit), right: true },
    { heading: 'OOM', cell: (task) => count(task.oomKills), right: true },
  ];
}

function seconds(usec: bigint | undefined): string | undefined {
  return usec === undefined ? undefined : `${(Number(usec) / 1e6).toFixed(2)}s`;
}

const bytes = (value: bigint | undefined) => (value === undefined ? undefined : formatBytes(value));
const count = (value: bigint | undefined) => (value === undefined ? undefined : String(value));
const cores = (value: number | undefined) => (value === undefined ? undefined : formatCores(value));

/** A task's numbers in base units, for programs; what the kernel does not have or does not limit is absent. */
export function usageJson(task: Usage): object {
  return {
    namespace: task.namespace,
    id: task.id,
    ...number('cpuCores', task.cores),
    ...number('cpuSeconds', task.cpuUsec, 1e6),
    ...number('cpuLimitCores', task.cpuLimitCores),
    ...number('throttledSeconds', task.throttledUsec, 1e6),
    ...number('memoryBytes', task.memoryBytes),
    ...number('memoryWorkingSetBytes', task.memoryWorkingSetBytes),
    ...number('memoryLimitBytes', task.memoryLimitBytes),
    ...number('memoryPeakBytes', task.memoryPeakBytes),
    ...number('oomKills', task.oomKills),
    ...number('pids', task.pids),
    ...number('pidsLimit', task.pidsLimit),
  };
}

function number(name: string, value: bigint | number | undefined, unit = 1): object {
  return value === undefined ? {} : { [name]: Number(value) / unit };
}
