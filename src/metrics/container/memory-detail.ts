import type { MemoryStats } from '#cgroup/stats.ts';
import type { Add, Row } from '../row.ts';
import { eachKnown } from './each-known.ts';

const lists = ['active_anon', 'inactive_anon', 'active_file', 'inactive_file', 'unevictable'] as const;
const swapEvents = ['high', 'max', 'fail'] as const;
const refaults = ['anon', 'file'] as const;

/** Memory in the `full` profile. */
export function memoryDetailRows(events: readonly string[]): readonly Row<MemoryStats>[] {
  return [
    {
      name: 'runlet_task_memory_local_events_total',
      help: 'Memory events of the task without the groups below it (cgroup v2).',
      type: 'counter',
      profile: 'full',
      labels: { event: events },
      read: (memory, add) => eachKnown(events, memory.eventsLocal, add),
    },
    {
      name: 'runlet_task_memory_limit_hits_total',
      help: 'How often the memory of the task reached its limit (cgroup v1).',
      type: 'counter',
      profile: 'full',
      read: (memory, add) => add(memory.limitHits),
    },
    {
      name: 'runlet_task_memory_protection_bytes',
      help: 'Memory that reclaim leaves to the task: never taken (min), or taken last (low, on cgroup v1 the soft limit).',
      type: 'gauge',
      profile: 'full',
      labels: { kind: ['min', 'low'] },
      read: (memory, add) => {
        add(memory.minBytes, 'min');
        add(memory.lowBytes, 'low');
      },
    },
    {
      name: 'runlet_task_memory_high_bytes',
      help: 'Memory above which the task is slowed down; +Inf without a limit (cgroup v2).',
      type: 'gauge',
      profile: 'full',
      read: (memory, add) => add(memory.highBytes),
    },
    {
      name: 'runlet_task_memory_swap_limit_bytes',
      help: 'Swap that the task may use, on cgroup v1 together with memory; +Inf without a limit.',
      type: 'gauge',
      profile: 'full',
      read: (memory, add) => add(memory.swapLimitBytes),
    },
    {
      name: 'runlet_task_memory_swap_events_total',
      help: 'Swap events of the task (cgroup v2).',
      type: 'counter',
      profile: 'full',
      labels: { event: swapEvents },
      read: (memory, add) => eachKnown(swapEvents, memory.swapEvents, add),
    },
    {
      name: 'runlet_task_memory_zswap_bytes',
      help: 'Memory of the task that is kept compressed instead of being swapped out (cgroup v2).',
      type: 'gauge',
      profile: 'full',
      read: (memory, add) => add(memory.zswapBytes),
    },
    {
      name: 'runlet_task_memory_list_bytes',
      help: 'Memory of the task by the list of pages that reclaim keeps it in.',
      type: 'gauge',
      profile: 'full',
      labels: { list: lists },
      read: (memory, add) => eachKnown(lists, memory.stat, add),
    },
    {
      name: 'runlet_task_memory_dirty_bytes',
      help: 'Page cache of the task that is still to be written to disk.',
      type: 'gauge',
      profile: 'full',
      read: (memory, add) => add(memory.stat?.['file_dirty'] ?? memory.stat?.['dirty']),
    },
    {
      name: 'runlet_task_memory_writeback_bytes',
      help: 'Page cache of the task that is being written to disk.',
      type: 'gauge',
      profile: 'full',
      read: (memory, add) => add(memory.stat?.['file_writeback'] ?? memory.stat?.['writeback']),
    },
    {
      name: 'runlet_task_memory_reclaim_pages_total',
      help: 'Pages of the task that reclaim looked at and took (cgroup v2).',
      type: 'counter',
      profile: 'full',
      labels: { kind: ['scanned', 'taken'] },
      read: (memory, add) => {
        add(memory.stat?.['pgscan'], 'scanned');
        add(memory.stat?.['pgsteal'], 'taken');
      },
    },
    {
      name: 'runlet_task_memory_refaults_total',
      help: 'Pages of the task that were needed again soon after reclaim had taken them.',
      type: 'counter',
      profile: 'full',
      labels: { kind: refaults },
      read: addRefaults,
    },
  ];
}

function addRefaults(memory: MemoryStats, add: Add): void {
  for (const kind of refaults) add(memory.stat?.[`workingset_refault_${kind}`], kind);
}
