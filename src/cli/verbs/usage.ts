import { unary } from '#api/client.ts';
import type { StatsReply, TaskUsage } from '#api/gen/runlet/v1/runlet.ts';
import type { Column } from '../output/table.ts';
import { formatBytes, formatCores } from '../output/units.ts';
import type { Session } from '../session.ts';

/** What a task uses, with its rates since the reading before. */
export interface Usage extends TaskUsage {
  /** Absent with one reading. */
  readonly rates?: Rates;
}

/** On average between two readings; what is not counted in both is absent. */
export interface Rates {
  /** Processors in use. */
  readonly cores?: number | undefined;
  /** Share of the periods of its CPU quota in which the task had to wait: 0 to 1. */
  readonly throttled?: number | undefined;
  /** Bytes and operations a second. */
  readonly ioRead?: number | undefined;
  readonly ioWritten?: number | undefined;
  readonly ioOperations?: number | undefined;
  readonly networkReceived?: number | undefined;
  readonly networkSent?: number | undefined;
  /** Share of the time in which some of the task waited for the resource: 0 to 1. */
  readonly cpuPressure?: number | undefined;
  readonly memoryPressure?: number | undefined;
  readonly ioPressure?: number | undefined;
}

/** Reads what the tasks use now: all, or those with these ids. */
export async function readUsage(session: Session, ids: readonly string[]): Promise<StatsReply> {
  const { runlet } = session.api;
  return await unary(runlet.stats.bind(runlet), { namespace: session.namespace ?? '', ids: [...ids] });
}

/** Joins two readings: the numbers of the later one, the rates between them. */
export function toUsage(before: StatsReply | undefined, now: StatsReply): readonly Usage[] {
  const elapsedMs = before === undefined ? 0 : now.monotonicMs - before.monotonicMs;
  const earlier = new Map(before?.tasks.map((task) => [`${task.namespace}/${task.id}`, task]));
  return now.tasks.map((task) => {
    const from = earlier.get(`${task.namespace}/${task.id}`);
    return from === undefined || elapsedMs <= 0 ? task : { ...task, rates: toRates(from, task, elapsedMs) };
  });
}

function toRates(from: TaskUsage, to: TaskUsage, elapsedMs: number): Rates {
  const more = (count: (usage: TaskUsage) => bigint | undefined) => difference(count(from), count(to));
  const aSecond = (count: (usage: TaskUsage) => bigint | undefined) => quotient(more(count), elapsedMs / 1000);
  const ofTime = (usec: (usage: TaskUsage) => bigint | undefined) => quotient(more(usec), elapsedMs * 1000);
  return {
    cores: ofTime(({ cpuUsec }) => cpuUsec),
    throttled: quotient(
      more(({ throttledPeriods }) => throttledPeriods),
      more(({ cpuPeriods }) => cpuPeriods),
    ),
    ioRead: aSecond(({ ioReadBytes }) => ioReadBytes),
    ioWritten: aSecond(({ ioWrittenBytes }) => ioWrittenBytes),
    ioOperations: aSecond(({ ioOperations }) => ioOperations),
    networkReceived: aSecond(({ networkReceivedBytes }) => networkReceivedBytes),
    networkSent: aSecond(({ networkSentBytes }) => networkSentBytes),
    cpuPressure: ofTime(({ cpuPressureUsec }) => cpuPressureUsec),
    memoryPressure: ofTime(({ memoryPressureUsec }) => memoryPressureUsec),
    ioPressure: ofTime(({ ioPressureUsec }) => ioPressureUsec),
  };
}

/** Undefined where one is not known, and where a counter has begun anew. */
function difference(from: bigint | undefined, to: bigint | undefined): number | undefined {
  return from === undefined || to === undefined || to < from ? undefined : Number(to - from);
}

function quotient(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined || by === 0 ? undefined : value / by;
}

/** The columns of `stats` and `top`; the wide table has what the dashboard has. */
export function usageColumns(shown: { readonly namespace: boolean; readonly wide: boolean }): readonly Column<Usage>[] {
  return [
    ...(shown.namespace ? [{ heading: 'NAMESPACE', cell: (task: Usage) => task.namespace }] : []),
    { heading: 'ID', cell: (task) => task.id },
    { heading: 'CPU', cell: (task) => cores(task.rates?.cores), right: true },
    { heading: 'CPU-LIMIT', cell: (task) => cores(task.cpuLimitCores), right: true },
    { heading: 'CPU-TIME', cell: (task) => seconds(task.cpuUsec), right: true },
    { heading: 'THROTTLED', cell: (task) => seconds(task.throttledUsec), right: true },
    { heading: 'MEMORY', cell: (task) => bytes(task.memoryWorkingSetBytes ?? task.memoryBytes), right: true },
    { heading: 'MEM-LIMIT', cell: (task) => bytes(task.memoryLimitBytes), right: true },
    { heading: 'MEM-PEAK', cell: (task) => bytes(task.memoryPeakBytes), right: true },
    { heading: 'PIDS', cell: (task) => count(task.pids), right: true },
    { heading: 'PIDS-LIMIT', cell: (task) => count(task.pidsLimit), right: true },
    { heading: 'OOM', cell: (task) => count(task.oomKills), right: true },
    ...(shown.wide ? wideColumns : []),
  ];
}

const wideColumns: readonly Column<Usage>[] = [
  { heading: 'SWAP', cell: (task) => bytes(task.memorySwapBytes), right: true },
  { heading: 'THROTTLED%', cell: ({ rates }) => percent(rates?.throttled), right: true },
  { heading: 'READ/S', cell: ({ rates }) => bytes(rates?.ioRead), right: true },
  { heading: 'WRITE/S', cell: ({ rates }) => bytes(rates?.ioWritten), right: true },
  { heading: 'IO/S', cell: ({ rates }) => whole(rates?.ioOperations), right: true },
  { heading: 'NET-IN/S', cell: ({ rates }) => bytes(rates?.networkReceived), right: true },
  { heading: 'NET-OUT/S', cell: ({ rates }) => bytes(rates?.networkSent), right: true },
  { heading: 'WAIT-CPU%', cell: ({ rates }) => percent(rates?.cpuPressure), right: true },
  { heading: 'WAIT-MEM%', cell: ({ rates }) => percent(rates?.memoryPressure), right: true },
  { heading: 'WAIT-IO%', cell: ({ rates }) => percent(rates?.ioPressure), right: true },
];

function seconds(usec: bigint | undefined): string | undefined {
  return usec === undefined ? undefined : `${(Number(usec) / 1e6).toFixed(2)}s`;
}

const bytes = (value: bigint | number | undefined) => (value === undefined ? undefined : formatBytes(value));
const count = (value: bigint | undefined) => (value === undefined ? undefined : String(value));
const whole = (value: number | undefined) => value?.toFixed(0);
const percent = (share: number | undefined) => (share === undefined ? undefined : (share * 100).toFixed(1));
const cores = (value: number | undefined) => (value === undefined ? undefined : formatCores(value));

/** A task's numbers in base units, for programs; what the kernel does not have or does not limit is absent. */
export function usageJson(task: Usage): object {
  return {
    namespace: task.namespace,
    id: task.id,
    ...number('cpuCores', task.rates?.cores),
    ...number('cpuSeconds', task.cpuUsec, 1e6),
    ...number('cpuLimitCores', task.cpuLimitCores),
    ...number('throttledSeconds', task.throttledUsec, 1e6),
    ...number('cpuPeriods', task.cpuPeriods),
    ...number('throttledPeriods', task.throttledPeriods),
    ...number('cpuPressureSeconds', task.cpuPressureUsec, 1e6),
    ...number('memoryBytes', task.memoryBytes),
    ...number('memoryWorkingSetBytes', task.memoryWorkingSetBytes),
    ...number('memoryLimitBytes', task.memoryLimitBytes),
    ...number('memoryPeakBytes', task.memoryPeakBytes),
    ...number('memorySwapBytes', task.memorySwapBytes),
    ...number('memoryPressureSeconds', task.memoryPressureUsec, 1e6),
    ...number('oomKills', task.oomKills),
    ...number('pids', task.pids),
    ...number('pidsLimit', task.pidsLimit),
    ...number('ioReadBytes', task.ioReadBytes),
    ...number('ioWrittenBytes', task.ioWrittenBytes),
    ...number('ioOperations', task.ioOperations),
    ...number('ioPressureSeconds', task.ioPressureUsec, 1e6),
    ...number('networkReceivedBytes', task.networkReceivedBytes),
    ...number('networkSentBytes', task.networkSentBytes),
  };
}

function number(name: string, value: bigint | number | undefined, unit = 1): object {
  return value === undefined ? {} : { [name]: Number(value) / unit };
}
