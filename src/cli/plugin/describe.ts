import { formatTable, printable, type Column } from '../output/table.ts';
import { formatDuration } from '../output/units.ts';
import { write } from '../shell.ts';
import { readNodeTask, type Condition, type NodeTask } from './node-task.ts';
import { oneShotResources, type OneShot } from './one-shot.ts';
import { sessionResources } from './session.ts';
import type { PluginCall } from './verbs.ts';

/** Requests and events that are shown. */
const newest = 10;

interface EventList {
  readonly items: readonly {
    readonly type?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly note?: string;
    readonly lastTimestamp?: string | null;
    readonly eventTime?: string | null;
    readonly metadata: { readonly creationTimestamp?: string };
  }[];
}

type Request = OneShot & { readonly kind: string };

/** Prints a NodeTask's state, conditions, latest requests and events. */
export async function describe({ kubectl, shell, name }: PluginCall): Promise<number> {
  const task = await readNodeTask(kubectl, name);
  const kinds = [...Object.values(oneShotResources), ...Object.values(sessionResources)].join(',');
  const about = `involvedObject.kind=NodeTask,involvedObject.name=${name}`;
  const [requests, events] = await Promise.all([
    kubectl.json<{ readonly items: readonly Request[] }>(['get', kinds]).catch(() => ({ items: [] })),
    kubectl.json<EventList>(['get', 'events', '--field-selector', about]).catch(() => ({ items: [] })),
  ]);
  const own = requests.items.filter(({ spec }) => spec.taskName === name);
  await write(
    shell.stdout,
    [
      facts(task),
      titled('Conditions', conditionColumns, task.status?.conditions ?? []),
      titled(
        'Requests',
        requestColumns(shell.nowMs()),
        latest(own, ({ metadata }) => metadata.creationTimestamp),
      ),
      titled('Events', eventColumns(shell.nowMs()), latest(events.items, timeOf)),
    ].join('\n'),
  );
  return 0;
}

function facts({ metadata, spec, status }: NodeTask): string {
  const last = status?.lastTermination;
  const rows: readonly (readonly [string, unknown])[] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Node', spec.nodeName],
    ['Image', spec.image],
    ['Wanted', spec.runState ?? 'Running'],
    ['State', status?.state ?? 'Pending'],
    ['PID', status?.pid],
    ['Exit', status?.exitStatus],
    ['Started', status?.startedAt],
    ['Restarts', status?.restartCount],
    ['Last exit', last && `${last.exitStatus} ${last.reason}${last.finishedAt ? ` at ${last.finishedAt}` : ''}`],
    ['On the node', status?.containerID],
  ];
  return rows
    .filter(([, value]) => value !== undefined)
    .map(([heading, value]) => `${`${heading}:`.padEnd(14)}${printable(String(value))}\n`)
    .join('');
}

function titled<R>(title: string, columns: readonly Column<R>[], rows: readonly R[]): string {
  if (rows.length === 0) return `${title}: none\n`;
  const table = formatTable(columns, rows).trimEnd();
  return `${title}:\n${table
    .split('\n')
    .map((line) => `  ${line}\n`)
    .join('')}`;
}

const conditionColumns: readonly Column<Condition>[] = [
  { heading: 'TYPE', cell: (row) => row.type },
  { heading: 'STATUS', cell: (row) => row.status },
  { heading: 'REASON', cell: (row) => row.reason },
  { heading: 'MESSAGE', cell: (row) => row.message },
];

function requestColumns(nowMs: number): readonly Column<Request>[] {
  return [
    { heading: 'KIND', cell: (row) => row.kind },
    { heading: 'NAME', cell: (row) => row.metadata.name },
    { heading: 'STATE', cell: (row) => row.status?.state ?? 'Pending' },
    { heading: 'REASON', cell: (row) => row.status?.reason },
    { heading: 'EXIT', cell: (row) => row.status?.exitStatus?.toString() },
    { heading: 'AGE', cell: (row) => age(row.metadata.creationTimestamp, nowMs) },
    { heading: 'WHAT', cell: (row) => row.spec.command?.join(' ') ?? row.spec.signal },
  ];
}

function eventColumns(nowMs: number): readonly Column<EventList['items'][number]>[] {
  return [
    { heading: 'TYPE', cell: (row) => row.type },
    { heading: 'REASON', cell: (row) => row.reason },
    { heading: 'AGE', cell: (row) => age(timeOf(row), nowMs) },
    { heading: 'MESSAGE', cell: (row) => row.message ?? row.note },
  ];
}

function timeOf(event: EventList['items'][number]): string | undefined {
  return event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
}

function age(time: string | undefined, nowMs: number): string | undefined {
  return time === undefined ? undefined : formatDuration(nowMs - Date.parse(time));
}

function latest<R>(rows: readonly R[], when: (row: R) => string | undefined): readonly R[] {
  return rows.toSorted((a, b) => (when(a) ?? '').localeCompare(when(b) ?? '')).slice(-newest);
}
