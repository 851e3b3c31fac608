import { unary } from '#api/client.ts';
import type { Invocation } from '../command.ts';
import { formatTable } from '../output/table.ts';
import { Session } from '../session.ts';

/** Lists containerd's namespaces with their tasks counted. */
export async function run(invocation: Invocation): Promise<void> {
  using session = new Session(invocation);
  const { namespaces, runlet } = session.api;
  const [known, { tasks }] = await Promise.all([
    unary(namespaces.list.bind(namespaces), { filter: '' }),
    unary(runlet.list.bind(runlet), { namespace: '', ids: [] }),
  ]);
  const names = new Set([...known.namespaces.map(({ name }) => name), ...tasks.map(({ namespace }) => namespace)]);
  const labels = new Map(known.namespaces.map((namespace) => [namespace.name, namespace.labels]));
  const rows = [...names].toSorted().map((name) => {
    const own = tasks.filter(({ namespace }) => namespace === name);
    const running = own.filter(({ status }) => status === 'running').length;
    return { name, tasks: own.length, running, labels: labels.get(name) ?? {} };
  });
  await session.print({
    json: () => rows,
    text: () => {
      if (invocation.flags.is('quiet')) return rows.map(({ name }) => `${name}\n`).join('');
      return formatTable(
        [
          { heading: 'NAME', cell: (row) => row.name },
          { heading: 'TASKS', cell: (row) => String(row.tasks), right: true },
          { heading: 'RUNNING', cell: (row) => String(row.running), right: true },
          { heading: 'LABELS', cell: (row) => labelText(row.labels) },
        ],
        rows,
      );
    },
  });
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}
