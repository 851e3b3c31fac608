import type { GroupStats } from '#cgroup/stats.ts';
import type { Status } from '#task/state.ts';
import type { Row } from '../row.ts';
import type { TaskSample } from './sample.ts';

const statuses = ['created', 'running', 'pausing', 'paused', 'stopped'] as const satisfies readonly Status[];

/** What stays until the task's record is deleted. */
export const stateRows: readonly Row<TaskSample>[] = [
  {
    name: 'runlet_task_info',
    help: 'What does not change in the life of the task; always 1.',
    type: 'gauge',
    profile: 'basic',
    labels: { kube_namespace: undefined, uid: undefined, image: undefined, runtime: undefined },
    read: ({ facts }, add) => add(1, facts.kubeNamespace, facts.uid, facts.image, facts.runtime),
  },
  {
    name: 'runlet_task_state',
    help: '1 for the state that the task is in, 0 for the others.',
    type: 'gauge',
    profile: 'basic',
    labels: { state: statuses },
    read: ({ facts }, add) => {
      for (const status of statuses) add(facts.status === status ? 1 : 0, status);
    },
  },
  {
    name: 'runlet_task_start_time_seconds',
    help: 'When the task was started, in seconds since 1970.',
    type: 'gauge',
    profile: 'basic',
    read: ({ facts }, add) => add(facts.startedAtMs === undefined ? undefined : facts.startedAtMs / 1000),
  },
  {
    name: 'runlet_task_restarts_total',
    help: 'How often the task was started anew.',
    type: 'counter',
    profile: 'basic',
    read: ({ facts }, add) => add(facts.restarts),
  },
  {
    name: 'runlet_task_last_exit_status',
    help: 'Exit status of the last run of the task that has ended: 0 to 255.',
    type: 'gauge',
    profile: 'basic',
    read: ({ facts }, add) => add(facts.lastExitStatus),
  },
];

export const groupRows: readonly Row<GroupStats>[] = [
  {
    name: 'runlet_task_frozen',
    help: '1 while the kernel says that every process of the task is frozen.',
    type: 'gauge',
    profile: 'full',
    read: ({ frozen }, add) => add(frozen === undefined ? undefined : Number(frozen)),
  },
];
