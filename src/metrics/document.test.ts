import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentMetrics, metricsPage, nodeMetrics, taskMetrics } from './document.ts';

describe('docs/metrics.md', () => {
  it('is what the tables say; if not, run scripts/write-docs.ts', () => {
    expect(readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')).toBe(metricsPage());
  });
});

describe('the tables', () => {
  const all = [...taskMetrics(), ...nodeMetrics(), ...agentMetrics()];

  it('name each metric once', () => {
    const names = all.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it('let only counters end in _total, and all of them', () => {
    for (const { name, type } of all)
      expect(`${name} ${name.endsWith('_total')}`).toBe(`${name} ${type === 'counter'}`);
  });

  it('have the metrics that the contract with their readers names', () => {
    const names = new Set(all.map(({ name }) => name));
    const promised = `cpu_usage_seconds_total cpu_seconds_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total
      cpu_cfs_throttled_seconds_total cpu_limit_cores memory_usage_bytes memory_working_set_bytes memory_peak_bytes
      memory_limit_bytes memory_swap_bytes memory_bytes memory_page_faults_total memory_events_total oom_kills_total pids
      pids_limit io_bytes_total io_operations_total hugetlb_usage_bytes pressure_seconds_total network_bytes_total info state
      start_time_seconds restarts_total last_exit_status`.split(/\s+/);
    expect(promised.filter((name) => !names.has(`runlet_task_${name}`))).toEqual([]);
  });

  it('keep the smaller profiles free of metrics that have no bound of their own', () => {
    const basic = taskMetrics().filter(({ profile }) => profile === 'basic');
    const open = basic.filter(({ name, labels }) => name !== 'runlet_task_info' && openLabels(labels).length > 0);
    expect(open).toEqual([]);
  });
});

function openLabels(labels: object): readonly string[] {
  return Object.entries(labels).flatMap(([name, values]) =>
    values === undefined && name !== 'namespace' && name !== 'task' ? [name] : [],
  );
}
