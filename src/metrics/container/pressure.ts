import type { TaskStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';

const resources = ['cpu', 'memory', 'io', 'irq'] as const;

export const pressureRows: readonly Row<NonNullable<TaskStats['pressure']>>[] = [
  {
    name: 'runlet_task_pressure_seconds_total',
    help: 'Time in which some of the task waited for a resource (waiting) or all of it did (stalled).',
    type: 'counter',
    profile: 'standard',
    labels: { resource: resources, kind: ['waiting', 'stalled'] },
    inMicroseconds: true,
    read: (pressure, add) => {
      for (const resource of resources) {
        add(pressure[resource]?.waitingUsec, resource, 'waiting');
        add(pressure[resource]?.stalledUsec, resource, 'stalled');
      }
    },
  },
];
