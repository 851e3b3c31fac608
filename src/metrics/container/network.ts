import type { InterfaceCounts, InterfaceStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';

type Counted = keyof InterfaceCounts;

export const networkRows: readonly Row<readonly InterfaceStats[]>[] = [
  row(
    'bytes',
    'standard',
    'Bytes that the task received and sent; only of tasks with a network namespace of their own.',
  ),
  row('packets', 'full', 'Packets that the task received and sent.'),
  row('errors', 'full', 'Errors in receiving and sending of the task.'),
  row('dropped', 'full', 'Packets of the task that were dropped.', 'dropped_packets'),
];

function row(
  counted: Counted,
  profile: 'standard' | 'full',
  help: string,
  name: string = counted,
): Row<readonly InterfaceStats[]> {
  return {
    name: `runlet_task_network_${name}_total`,
    help,
    type: 'counter',
    profile,
    labels: { interface: undefined, direction: ['receive', 'transmit'] },
    read: (interfaces, add) => {
      for (const { name: label, receive, transmit } of interfaces) {
        add(receive[counted], label, 'receive');
        add(transmit[counted], label, 'transmit');
      }
    },
  };
}
