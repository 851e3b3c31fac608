import type { MemoryKinds, MemoryStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';
import { eachKnown } from './each-known.ts';
import { memoryDetailRows } from './memory-detail.ts';

const kinds = ['anon', 'file', 'shmem', 'kernel', 'slab', 'sock', 'mapped'] as const satisfies (keyof MemoryKinds)[];

/** v2's events; a name that a newer kernel adds is not exported before it is known here. */
export const memoryEvents = ['low', 'high', 'max', 'oom', 'oom_kill', 'oom_group_kill'] as const;

export const memoryRows: readonly Row<MemoryStats>[] = [
  {
    name: 'runlet_task_memory_usage_bytes',
    help: 'Memory of the task, page cache included.',
    type: 'gauge',
    profile: 'basic',
    read: (memory, add) => add(memory.usageBytes),
  },
  {
    name: 'runlet_task_memory_working_set_bytes',
    help: 'Memory of the task without the inactive part of its page cache.',
    type: 'gauge',
    profile: 'basic',
    read: (memory, add) => add(memory.workingSetBytes),
  },
  {
    name: 'runlet_task_memory_peak_bytes',
    help: 'Most memory that the task has used at once.',
    type: 'gauge',
    profile: 'basic',
    read: (memory, add) => add(memory.peakBytes),
  },
  {
    name: 'runlet_task_memory_limit_bytes',
    help: 'Memory that the task may use; +Inf without a limit.',
    type: 'gauge',
    profile: 'basic',
    read: (memory, add) => add(memory.limitBytes),
  },
  {
    name: 'runlet_task_memory_swap_bytes',
    help: 'Swap space used by the task.',
    type: 'gauge',
    profile: 'basic',
    read: (memory, add) => add(memory.swapBytes),
  },
  {
    name: 'runlet_task_oom_kills_total',
    help: 'Processes of the task that the kernel killed for want of memory.',
    type: 'counter',
    profile: 'basic',
    read: (memory, add) => add(memory.oomKills),
  },
  {
    name: 'runlet_task_memory_bytes',
    help: 'Parts of the memory of the task; they overlap and are not all of it.',
    type: 'gauge',
    profile: 'standard',
    labels: { kind: kinds },
    read: (memory, add) => eachKnown(kinds, memory.kinds, add),
  },
  {
    name: 'runlet_task_memory_page_faults_total',
    help: 'Page faults of the task: minor ones, and major ones, which had to wait for a disk.',
    type: 'counter',
    profile: 'standard',
    labels: { kind: ['minor', 'major'] },
    read: (memory, add) => {
      add(memory.faults?.minor, 'minor');
      add(memory.faults?.major, 'major');
    },
  },
  {
    name: 'runlet_task_memory_events_total',
    help: 'Memory events of the task and of the groups below it (cgroup v2).',
    type: 'counter',
    profile: 'standard',
    labels: { event: memoryEvents },
    read: (memory, add) => eachKnown(memoryEvents, memory.events, add),
  },
  ...memoryDetailRows(memoryEvents),
];
