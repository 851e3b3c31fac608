import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

export const alertsFile = join(import.meta.dirname, '../../charts/runlet/files/alerts.yaml');

/** The chart's alert rules. */
export function readAlerts(): readonly AlertRule[] {
  const { groups } = load(readFileSync(alertsFile, 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

/** Series in promtool's notation and the labels of the alert that they raise; `quiet` ones raise none. */
export interface AlertCase {
  readonly loud: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly at: string;
}

const task = 'namespace="default",task="web",instance="n1"';
const taskLabels = { namespace: 'default', task: 'web', instance: 'n1' };
const agent = 'instance="n1"';
const agentLabels = { instance: 'n1' };

/** By alert: what raises it and what looks alike but does not. */
export const alertCases: Readonly<Record<string, AlertCase>> = {
  RunletAgentDown: {
    loud: { 'up{job="runlet-agent",instance="n1"}': '1x5 0x20' },
    quiet: { 'up{job="runlet-agent",instance="n1"}': '1x10 0 0 1x20', 'up{job="other",instance="n1"}': '0x30' },
    labels: { job: 'runlet-agent', instance: 'n1' },
    at: '15m',
  },
  RunletOperationErrors: {
    loud: {
      [`runlet_operation_errors_total{operation="start",reason="internal",${agent}}`]: '0+1x60',
      [`runlet_operation_duration_seconds_count{operation="start",${agent}}`]: '0+10x60',
    },
    quiet: {
      [`runlet_operation_errors_total{operation="start",reason="failed-precondition",${agent}}`]: '0+9x60',
      [`runlet_operation_duration_seconds_count{operation="start",${agent}}`]: '0+10x60',
    },
    labels: { operation: 'start', ...agentLabels },
    at: '50m',
  },
  RunletStartLatencyHigh: {
    loud: {
      [`runlet_operation_duration_seconds_bucket{operation="start",le="5",${agent}}`]: '0+1x60',
      [`runlet_operation_duration_seconds_bucket{operation="start",le="10",${agent}}`]: '0+10x60',
      [`runlet_operation_duration_seconds_bucket{operation="start",le="+Inf",${agent}}`]: '0+10x60',
    },
    quiet: {
      [`runlet_operation_duration_seconds_bucket{operation="start",le="0.1",${agent}}`]: '0+10x60',
      [`runlet_operation_duration_seconds_bucket{operation="start",le="+Inf",${agent}}`]: '0+10x60',
      [`runlet_operation_duration_seconds_bucket{operation="checkpoint",le="30",${agent}}`]: '0+0x60',
      [`runlet_operation_duration_seconds_bucket{operation="checkpoint",le="+Inf",${agent}}`]: '0+10x60',
    },
    labels: agentLabels,
    at: '40m',
  },
  RunletCheckpointFailed: {
    loud: { [`runlet_operation_errors_total{operation="checkpoint",reason="internal",${agent}}`]: '0x10 1x40' },
    quiet: { [`runlet_operation_errors_total{operation="checkpoint",reason="internal",${agent}}`]: '3x60' },
    labels: agentLabels,
    at: '30m',
  },
  RunletApiDisconnected: {
    loud: { [`runlet_watch_last_event_timestamp_seconds{resource="nodetasks",${agent}}`]: '60x60' },
    quiet: { [`runlet_watch_last_event_timestamp_seconds{resource="nodetasks",${agent}}`]: '0+60x60' },
    labels: agentLabels,
    at: '30m',
  },
  RunletRelistStorm: {
    loud: { [`runlet_watch_lists_total{resource="nodetasks",${agent}}`]: '0+1x60' },
    quiet: { [`runlet_watch_lists_total{resource="nodetasks",${agent}}`]: '0x20 2x40' },
    labels: agentLabels,
    at: '40m',
  },
  RunletStatusLag: {
    loud: { [`runlet_api_requests_total{method="PATCH",code="403",${agent}}`]: '0+1x60' },
    quiet: { [`runlet_api_requests_total{method="PATCH",code="200",${agent}}`]: '0+1x60' },
    labels: agentLabels,
    at: '40m',
  },
  RunletQueueStuck: {
    loud: { [`runlet_workqueue_depth{${agent}}`]: '80x60' },
    quiet: { [`runlet_workqueue_depth{${agent}}`]: '80x10 2x50' },
    labels: agentLabels,
    at: '40m',
  },
  RunletEventLoopLag: {
    loud: { [`nodejs_eventloop_lag_p99_seconds{${agent}}`]: '0.5x60', [`runlet_build_info{${agent}}`]: '1x60' },
    quiet: { [`nodejs_eventloop_lag_p99_seconds{${agent}}`]: '0.5x60' },
    labels: agentLabels,
    at: '30m',
  },
  RunletDescriptorsHigh: {
    loud: {
      [`process_open_fds{${agent}}`]: '900x60',
      [`process_max_fds{${agent}}`]: '1000x60',
      [`runlet_build_info{${agent}}`]: '1x60',
    },
    quiet: { [`process_open_fds{${agent}}`]: '900x60', [`process_max_fds{${agent}}`]: '1000x60' },
    labels: agentLabels,
    at: '30m',
  },
  RunletCollectorErrors: {
    loud: { [`runlet_collector_errors_total{${agent}}`]: '0+1x60' },
    quiet: { [`runlet_collector_errors_total{${agent}}`]: '7x60' },
    labels: agentLabels,
    at: '30m',
  },
  RunletOrphans: {
    loud: { [`runlet_orphans_total{kind="cgroup",${agent}}`]: '0x10 1x50' },
    quiet: { [`runlet_orphans_total{kind="cgroup",${agent}}`]: '4x60' },
    labels: { kind: 'cgroup', ...agentLabels },
    at: '30m',
  },
  RunletVersionSkew: {
    loud: {
      'runlet_build_info{version="1",instance="n1"}': '1x120',
      'runlet_build_info{version="2",instance="n2"}': '1x120',
    },
    quiet: {
      'runlet_build_info{version="1",instance="n1"}': '1x120',
      'runlet_build_info{version="1",instance="n2"}': '1x120',
    },
    labels: {},
    at: '90m',
  },
  RunletTaskCrashLooping: {
    loud: { [`runlet_task_restarts_total{${task}}`]: '0+1x60' },
    quiet: { [`runlet_task_restarts_total{${task}}`]: '0x10 1x50' },
    labels: taskLabels,
    at: '40m',
  },
  RunletTaskOOMKilled: {
    loud: { [`runlet_task_oom_kills_total{${task}}`]: '0x10 1x50' },
    quiet: { [`runlet_task_oom_kills_total{${task}}`]: '2x60' },
    labels: taskLabels,
    at: '15m',
  },
  RunletFinishedOOMKilled: {
    loud: { [`runlet_finished_oom_kills_total{${agent}}`]: '0x10 1x50' },
    quiet: { [`runlet_finished_oom_kills_total{${agent}}`]: '2x60' },
    labels: agentLabels,
    at: '15m',
  },
  RunletTaskMemoryNearLimit: {
    loud: {
      [`runlet_task_memory_working_set_bytes{${task}}`]: '98x60',
      [`runlet_task_memory_limit_bytes{${task}}`]: '100x60',
    },
    quiet: {
      [`runlet_task_memory_working_set_bytes{${task}}`]: '98x60',
      [`runlet_task_memory_limit_bytes{${task}}`]: 'Infx60',
    },
    labels: taskLabels,
    at: '30m',
  },
  RunletMemoryPressureHigh: {
    loud: { [`runlet_task_pressure_seconds_total{resource="memory",kind="stalled",${task}}`]: '0+30x60' },
    quiet: { [`runlet_task_pressure_seconds_total{resource="memory",kind="waiting",${task}}`]: '0+30x60' },
    labels: { resource: 'memory', kind: 'stalled', ...taskLabels },
    at: '30m',
  },
  RunletCPUThrottlingHigh: {
    loud: {
      [`runlet_task_cpu_cfs_throttled_periods_total{${task}}`]: '0+300x60',
      [`runlet_task_cpu_cfs_periods_total{${task}}`]: '0+600x60',
    },
    quiet: {
      [`runlet_task_cpu_cfs_throttled_periods_total{${task}}`]: '0x60',
      [`runlet_task_cpu_cfs_periods_total{${task}}`]: '0x60',
    },
    labels: taskLabels,
    at: '40m',
  },
  RunletTaskPidsNearLimit: {
    loud: { [`runlet_task_pids{${task}}`]: '95x60', [`runlet_task_pids_limit{${task}}`]: '100x60' },
    quiet: { [`runlet_task_pids{${task}}`]: '95x60', [`runlet_task_pids_limit{${task}}`]: 'Infx60' },
    labels: taskLabels,
    at: '30m',
  },
  RunletCertificateEnds: {
    loud: { [`runlet_certificate_expiry_timestamp_seconds{use="server",${agent}}`]: '604800x120' },
    quiet: { [`runlet_certificate_expiry_timestamp_seconds{use="client-ca",${agent}}`]: '700000x120' },
    labels: { use: 'server', ...agentLabels },
    at: '90m',
  },
  RunletPausedTooLong: {
    loud: { [`runlet_task_state{state="paused",${task}}`]: '1x120' },
    quiet: {
      [`runlet_task_state{state="paused",${task}}`]: '1x30 0x90',
      [`runlet_task_state{state="running",${task}}`]: '1x120',
    },
    labels: { state: 'paused', ...taskLabels },
    at: '90m',
  },
};
