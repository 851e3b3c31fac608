import type { IoStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';
import { eachKnown } from './each-known.ts';

const operations = ['read', 'write', 'discard'] as const;
const costs = ['usage', 'wait', 'indebt', 'indelay'] as const;

export const ioRows: readonly Row<IoStats>[] = [
  {
    name: 'runlet_task_io_bytes_total',
    help: 'Bytes that the task read from, wrote to and discarded on block devices.',
    type: 'counter',
    profile: 'standard',
    labels: { device: undefined, op: operations },
    read: ({ devices }, add) => {
      for (const { device, bytes } of devices) eachKnown(operations, bytes, (value, op = '') => add(value, device, op));
    },
  },
  {
    name: 'runlet_task_io_operations_total',
    help: 'Operations of the task on block devices.',
    type: 'counter',
    profile: 'standard',
    labels: { device: undefined, op: operations },
    read: ({ devices }, add) => {
      for (const { device, operations: counts } of devices) {
        eachKnown(operations, counts, (value, op = '') => add(value, device, op));
      }
    },
  },
  {
    name: 'runlet_task_io_cost_seconds_total',
    help: 'Device time of the task as the io.cost controller counts it (cgroup v2).',
    type: 'counter',
    profile: 'full',
    labels: { device: undefined, kind: costs },
    inMicroseconds: true,
    read: ({ devices }, add) => {
      for (const { device, costUsec } of devices)
        eachKnown(costs, costUsec, (value, kind = '') => add(value, device, kind));
    },
  },
];
