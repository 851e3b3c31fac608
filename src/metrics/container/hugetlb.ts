import type { HugetlbStats } from '#cgroup/stats.ts';
import type { Row } from '../row.ts';

export const hugetlbRows: readonly Row<readonly HugetlbStats[]>[] = [
  {
    name: 'runlet_task_hugetlb_usage_bytes',
    help: 'Huge pages of the task.',
    type: 'gauge',
    profile: 'standard',
    labels: { pagesize: undefined },
    read: (sizes, add) => {
      for (const { pageSize, usageBytes } of sizes) add(usageBytes, pageSize);
    },
  },
  {
    name: 'runlet_task_hugetlb_limit_bytes',
    help: 'Huge pages that the task may use; +Inf without a limit.',
    type: 'gauge',
    profile: 'full',
    labels: { pagesize: undefined },
    read: (sizes, add) => {
      for (const { pageSize, limitBytes } of sizes) add(limitBytes, pageSize);
    },
  },
  {
    name: 'runlet_task_hugetlb_limit_hits_total',
    help: 'How often the huge pages of the task reached their limit.',
    type: 'counter',
    profile: 'full',
    labels: { pagesize: undefined },
    read: (sizes, add) => {
      for (const { pageSize, limitHits } of sizes) add(limitHits, pageSize);
    },
  },
];
