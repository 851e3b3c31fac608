import type { CpuStats } from '#cgroup/stats.ts';
import type { Row, Value } from '../row.ts';

export const cpuRows: readonly Row<CpuStats>[] = [
  {
    name: 'runlet_task_cpu_usage_seconds_total',
    help: 'CPU time used by the task.',
    type: 'counter',
    profile: 'basic',
    inMicroseconds: true,
    read: (cpu, add) => add(cpu.usageUsec),
  },
  {
    name: 'runlet_task_cpu_seconds_total',
    help: 'CPU time used by the task in user space and in the kernel.',
    type: 'counter',
    profile: 'basic',
    labels: { mode: ['user', 'system'] },
    inMicroseconds: true,
    read: (cpu, add) => {
      add(cpu.userUsec, 'user');
      add(cpu.systemUsec, 'system');
    },
  },
  {
    name: 'runlet_task_cpu_cfs_periods_total',
    help: 'Periods of the CPU quota in which the task could run.',
    type: 'counter',
    profile: 'basic',
    read: (cpu, add) => add(cpu.periods),
  },
  {
    name: 'runlet_task_cpu_cfs_throttled_periods_total',
    help: 'Periods in which the task used up its CPU quota and had to wait.',
    type: 'counter',
    profile: 'basic',
    read: (cpu, add) => add(cpu.throttledPeriods),
  },
  {
    name: 'runlet_task_cpu_cfs_throttled_seconds_total',
    help: 'Time that the task had to wait because its CPU quota was used up, summed over CPUs.',
    type: 'counter',
    profile: 'basic',
    inMicroseconds: true,
    read: (cpu, add) => add(cpu.throttledUsec),
  },
  {
    name: 'runlet_task_cpu_limit_cores',
    help: 'CPUs that the quota allows; +Inf without one.',
    type: 'gauge',
    profile: 'basic',
    read: (cpu, add) => add(limitCores(cpu)),
  },
  {
    name: 'runlet_task_cpu_cfs_burst_periods_total',
    help: 'Periods in which the task used CPU time saved up from earlier ones.',
    type: 'counter',
    profile: 'full',
    read: (cpu, add) => add(cpu.burstPeriods),
  },
  {
    name: 'runlet_task_cpu_cfs_burst_seconds_total',
    help: 'CPU time used above the quota out of what was saved up.',
    type: 'counter',
    profile: 'full',
    inMicroseconds: true,
    read: (cpu, add) => add(cpu.burstUsec),
  },
  {
    name: 'runlet_task_cpu_force_idle_seconds_total',
    help: 'Time that CPUs were kept idle for the sake of the task by core scheduling.',
    type: 'counter',
    profile: 'full',
    inMicroseconds: true,
    read: (cpu, add) => add(cpu.forceIdleUsec),
  },
  {
    name: 'runlet_task_cpu_weight',
    help: 'Weight of the task among others that want the CPU, 1 to 10000 (cgroup v2).',
    type: 'gauge',
    profile: 'full',
    read: (cpu, add) => add(cpu.weight),
  },
  {
    name: 'runlet_task_cpu_shares',
    help: 'Shares of the task among others that want the CPU, 2 to 262144 (cgroup v1).',
    type: 'gauge',
    profile: 'full',
    read: (cpu, add) => add(cpu.shares),
  },
];

function limitCores({ quotaUsec, periodUsec }: CpuStats): Value | undefined {
  if (quotaUsec === undefined || quotaUsec === 'unlimited') return quotaUsec;
  return periodUsec ? Number(quotaUsec) / Number(periodUsec) : undefined;
}
