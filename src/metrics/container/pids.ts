import type { PidsStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';

export const pidsRows: readonly Row<PidsStats>[] = [
  {
    name: 'runlet_task_pids',
    help: 'Processes and threads of the task.',
    type: 'gauge',
    profile: 'basic',
    read: (pids, add) => add(pids.current),
  },
  {
    name: 'runlet_task_pids_limit',
    help: 'Processes and threads that the task may have; +Inf without a limit.',
    type: 'gauge',
    profile: 'basic',
    read: (pids, add) => add(pids.limit),
  },
  {
    name: 'runlet_task_pids_peak',
    help: 'Most processes and threads that the task has had at once.',
    type: 'gauge',
    profile: 'full',
    read: (pids, add) => add(pids.peak),
  },
  {
    name: 'runlet_task_pids_limit_hits_total',
    help: 'Forks that were refused because the task had as many processes and threads as it may have.',
    type: 'counter',
    profile: 'full',
    read: (pids, add) => add(pids.limitHits),
  },
];
