import type { CgroupFolders } from '#cgroup/group.ts';
import { openCgroupReader, type CgroupReader } from '#cgroup/reader.ts';
import type { TaskStats } from '#cgroup/stats.ts';
import type { Exposition } from './exposition.ts';
import type { Row, Value } from './row.ts';

/** What all tasks of the node use together, and may use: the numbers of the cgroup that holds theirs. */
export const budgetRows: readonly Row<TaskStats>[] = [
  {
    name: 'runlet_node_budget_memory_usage_bytes',
    help: 'Memory of all tasks together, page cache included.',
    type: 'gauge',
    profile: 'basic',
    read: ({ memory }, add) => add(memory?.usageBytes),
  },
  {
    name: 'runlet_node_budget_memory_working_set_bytes',
    help: 'Memory of all tasks together without the inactive part of their page cache.',
    type: 'gauge',
    profile: 'basic',
    read: ({ memory }, add) => add(memory?.workingSetBytes),
  },
  {
    name: 'runlet_node_budget_memory_limit_bytes',
    help: 'Memory that all tasks together may use; +Inf without a limit.',
    type: 'gauge',
    profile: 'basic',
    read: ({ memory }, add) => add(memory?.limitBytes),
  },
  {
    name: 'runlet_node_budget_cpu_usage_seconds_total',
    help: 'CPU time used by all tasks together, those that have ended included.',
    type: 'counter',
    profile: 'basic',
    inMicroseconds: true,
    read: ({ cpu }, add) => add(cpu?.usageUsec),
  },
  {
    name: 'runlet_node_budget_cpu_weight',
    help: 'Weight of all tasks together beside other groups of the node that want the CPU, 1 to 10000 (cgroup v2).',
    type: 'gauge',
    profile: 'basic',
    read: ({ cpu }, add) => add(cpu?.weight),
  },
  {
    name: 'runlet_node_budget_cpu_shares',
    help: 'Shares of all tasks together beside other groups of the node that want the CPU, 2 to 262144 (cgroup v1).',
    type: 'gauge',
    profile: 'basic',
    read: ({ cpu }, add) => add(cpu?.shares),
  },
  {
    name: 'runlet_node_budget_pids',
    help: 'Processes and threads of all tasks together.',
    type: 'gauge',
    profile: 'basic',
    read: ({ pids }, add) => add(pids?.current),
  },
  {
    name: 'runlet_node_budget_pids_limit',
    help: 'Processes and threads that all tasks together may have; +Inf without a limit.',
    type: 'gauge',
    profile: 'basic',
    read: ({ pids }, add) => add(pids?.limit),
  },
];

/** Reads the cgroup that holds those of all tasks, at each scrape. */
export class NodeBudget implements Disposable {
  readonly #where: CgroupFolders;
  #reader: CgroupReader | undefined;

  constructor(where: CgroupFolders) {
    this.#where = where;
  }

  /** Writes its families; none while there is no such cgroup. Throws MalformedError. */
  write(out: Exposition): void {
    this.#reader ??= openCgroupReader(this.#where, { keep: 'full' });
    const stats = this.#reader.read('full');
    if (stats) for (const row of budgetRows) row.read(stats, (value) => writeOne(row, value, out));
    // Whoever makes the cgroup anew makes other files.
    else this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#reader?.[Symbol.dispose]();
    this.#reader = undefined;
  }
}

function writeOne(row: Row<TaskStats>, value: Value | undefined, out: Exposition): void {
  if (value === undefined) return;
  out.family(row);
  out.text(`${row.name} `);
  if (row.inMicroseconds) out.microseconds(value);
  else out.value(value);
}
