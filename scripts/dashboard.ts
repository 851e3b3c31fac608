/** `charts/runlet/files/dashboard.json`, a Grafana dashboard: panels as data. */

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** Expression → legend. */
  readonly queries: Readonly<Record<string, string>>;
  readonly kind?: 'timeseries' | 'stat' | 'table';
}

const task = '{namespace=~"$namespace", task=~"$task", instance=~"$instance"}';
const agent = '{instance=~"$instance"}';
const name = '{{namespace}}/{{task}}';

function of(metric: string, ...matchers: readonly string[]): string {
  return `${metric}${[task.slice(0, -1), ...matchers].join(', ')}}`;
}

function rate(metric: string, ...matchers: readonly string[]): string {
  return `rate(${of(metric, ...matchers)}[$__rate_interval])`;
}

const rows: Readonly<Record<string, readonly Panel[]>> = {
  Overview: [
    {
      title: 'Tasks by state',
      unit: 'short',
      queries: { [`sum by (state) (${of('runlet_task_state')})`]: '{{state}}' },
    },
    {
      title: 'Starts anew in an hour',
      unit: 'short',
      queries: { [`increase(${of('runlet_task_restarts_total')}[1h])`]: name },
    },
    {
      title: 'Ended runs by reason',
      unit: 'short',
      queries: { [`sum by (reason) (increase(runlet_finished_tasks_total${agent}[$__rate_interval]))`]: '{{reason}}' },
    },
    {
      title: 'Last exit status',
      unit: 'short',
      queries: { [of('runlet_task_last_exit_status')]: name },
      kind: 'table',
    },
  ],
  CPU: [
    {
      title: 'CPU used and allowed',
      unit: 'cores',
      queries: {
        [rate('runlet_task_cpu_usage_seconds_total')]: name,
        [`${of('runlet_task_cpu_limit_cores')} < +Inf`]: `${name} limit`,
      },
    },
    {
      title: 'CPU by mode',
      unit: 'cores',
      queries: { [rate('runlet_task_cpu_seconds_total')]: `${name} {{mode}}` },
    },
    {
      title: 'Throttled periods',
      unit: 'percentunit',
      queries: {
        [`${rate('runlet_task_cpu_cfs_throttled_periods_total')} / ${rate('runlet_task_cpu_cfs_periods_total')}`]: name,
      },
    },
    { title: 'Throttled time', unit: 's', queries: { [rate('runlet_task_cpu_cfs_throttled_seconds_total')]: name } },
  ],
  Memory: [
    {
      title: 'Working set and limit',
      unit: 'bytes',
      queries: {
        [of('runlet_task_memory_working_set_bytes')]: name,
        [`${of('runlet_task_memory_limit_bytes')} < +Inf`]: `${name} limit`,
      },
    },
    {
      title: 'Usage and peak',
      unit: 'bytes',
      queries: { [of('runlet_task_memory_usage_bytes')]: name, [of('runlet_task_memory_peak_bytes')]: `${name} peak` },
    },
    { title: 'Parts', unit: 'bytes', queries: { [of('runlet_task_memory_bytes')]: `${name} {{kind}}` } },
    { title: 'Swap', unit: 'bytes', queries: { [of('runlet_task_memory_swap_bytes')]: name } },
    {
      title: 'Major page faults',
      unit: 'ops',
      queries: { [rate('runlet_task_memory_page_faults_total', 'kind="major"')]: name },
    },
    {
      title: 'Out-of-memory kills',
      unit: 'short',
      queries: {
        [`increase(${of('runlet_task_oom_kills_total')}[$__rate_interval])`]: name,
        [`increase(runlet_finished_oom_kills_total${agent}[$__rate_interval])`]: 'finished tasks on {{instance}}',
      },
    },
  ],
  'Pressure, disks, network, processes': [
    {
      title: 'Waiting for a resource',
      unit: 'percentunit',
      queries: { [rate('runlet_task_pressure_seconds_total', 'kind="waiting"')]: `${name} {{resource}}` },
    },
    {
      title: 'Stalled by a resource',
      unit: 'percentunit',
      queries: { [rate('runlet_task_pressure_seconds_total', 'kind="stalled"')]: `${name} {{resource}}` },
    },
    {
      title: 'Disk bytes',
      unit: 'Bps',
      queries: { [rate('runlet_task_io_bytes_total')]: `${name} {{device}} {{op}}` },
    },
    {
      title: 'Disk operations',
      unit: 'iops',
      queries: { [rate('runlet_task_io_operations_total')]: `${name} {{device}} {{op}}` },
    },
    {
      title: 'Network',
      unit: 'Bps',
      queries: { [rate('runlet_task_network_bytes_total', 'interface!="lo"')]: `${name} {{interface}} {{direction}}` },
    },
    {
      title: 'Processes and limit',
      unit: 'short',
      queries: { [of('runlet_task_pids')]: name, [`${of('runlet_task_pids_limit')} < +Inf`]: `${name} limit` },
    },
  ],
  'All tasks of a node together': [
    {
      title: 'Memory and budget',
      unit: 'bytes',
      queries: {
        [`runlet_node_budget_memory_working_set_bytes${agent}`]: '{{instance}}',
        [`runlet_node_budget_memory_limit_bytes${agent} < +Inf`]: '{{instance}} budget',
      },
    },
    {
      title: 'CPU used',
      unit: 'cores',
      queries: { [`rate(runlet_node_budget_cpu_usage_seconds_total${agent}[$__rate_interval])`]: '{{instance}}' },
    },
    {
      title: 'Processes and budget',
      unit: 'short',
      queries: {
        [`runlet_node_budget_pids${agent}`]: '{{instance}}',
        [`runlet_node_budget_pids_limit${agent} < +Inf`]: '{{instance}} budget',
      },
    },
  ],
  Agent: [
    {
      title: 'Operations',
      unit: 'ops',
      queries: {
        [`sum by (operation) (rate(runlet_operation_duration_seconds_count${agent}[$__rate_interval]))`]:
          '{{operation}}',
      },
    },
    {
      title: 'Operation time, 99 of 100',
      unit: 's',
      queries: {
        [`histogram_quantile(0.99, sum by (operation, le) (rate(runlet_operation_duration_seconds_bucket${agent}[$__rate_interval])))`]:
          '{{operation}}',
      },
    },
    {
      title: 'Failed operations',
      unit: 'ops',
      queries: {
        [`sum by (operation, reason) (rate(runlet_operation_errors_total${agent}[$__rate_interval]))`]:
          '{{operation}} {{reason}}',
      },
    },
    {
      title: 'CPU and memory of the agent',
      unit: 'short',
      queries: {
        [`rate(process_cpu_seconds_total${agent}[$__rate_interval])`]: '{{instance}} cores',
        [`process_resident_memory_bytes${agent}`]: '{{instance}} bytes',
      },
    },
    { title: 'Event loop lag', unit: 's', queries: { [`nodejs_eventloop_lag_p99_seconds${agent}`]: '{{instance}}' } },
    {
      title: 'Time of a scrape',
      unit: 's',
      queries: {
        [`sum by (instance, collector) (rate(runlet_collector_duration_seconds_sum${agent}[$__rate_interval])) / sum by (instance, collector) (rate(runlet_collector_duration_seconds_count${agent}[$__rate_interval]))`]:
          '{{instance}} {{collector}}',
      },
    },
    {
      title: 'Work queue and watches',
      unit: 'short',
      queries: {
        [`runlet_workqueue_depth${agent}`]: '{{instance}} waiting',
        [`sum by (instance, reason) (increase(runlet_watch_ends_total${agent}[$__rate_interval]))`]:
          '{{instance}} watch ended: {{reason}}',
      },
    },
    {
      title: 'Versions',
      unit: 'short',
      queries: { [`count by (version) (runlet_build_info${agent})`]: '{{version}}' },
      kind: 'stat',
    },
  ],
};

const panelWidth = 12;
const panelHeight = 8;

/** The whole as Grafana imports it. */
export function dashboard(): object {
  const panels: object[] = [];
  let y = 0;
  for (const [title, members] of Object.entries(rows)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: 24, x: 0, y },
    });
    y += 1;
    for (const [index, panel] of members.entries()) {
      const left = index % 2 === 0;
      panels.push(toPanel(panel, panels.length + 1, { h: panelHeight, w: panelWidth, x: left ? 0 : panelWidth, y }));
      if (!left || index === members.length - 1) y += panelHeight;
    }
  }
  return {
    uid: 'runlet-tasks',
    title: 'runlet: tasks and agents',
    tags: ['runlet'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [datasource, ...['instance', 'namespace', 'task'].map(variable)] },
    panels,
  };
}

/** Every expression of it. */
export function expressions(): readonly string[] {
  return Object.values(rows).flatMap((members) => members.flatMap(({ queries }) => Object.keys(queries)));
}

const source = { type: 'prometheus', uid: '${datasource}' };

function toPanel({ title, unit, queries, kind = 'timeseries' }: Panel, id: number, gridPos: object): object {
  return {
    id,
    type: kind,
    title,
    gridPos,
    datasource: source,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: Object.entries(queries).map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: source,
      expr,
      legendFormat,
      ...(kind === 'table' ? { instant: true, format: 'table' } : {}),
    })),
  };
}

const datasource = { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' };

function variable(label: string): object {
  return {
    name: label,
    label,
    type: 'query',
    datasource: source,
    query: { query: `label_values(runlet_task_info, ${label})`, refId: label },
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  };
}
