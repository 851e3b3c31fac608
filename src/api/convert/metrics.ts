import type { TaskStats } from '#cgroup/stats.ts';
import type { Metric } from '../gen/containerd/types/types.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { packAny } from './any.ts';
import { toMetricsV1 } from './metrics-v1.ts';
import { toMetricsV2 } from './metrics-v2.ts';
import { toTimestamp } from './timestamp.ts';
import { Metrics as MetricsV1 } from '../gen/io/containerd/cgroups/v1/metrics.ts';
import { Metrics as MetricsV2 } from '../gen/io/containerd/cgroups/v2/metrics.ts';

/** containerd's metrics of a task, by the machine's cgroup version; undefined where it has no cgroup any more. */
export function toMetric(id: string, stats: TaskStats | undefined, nowMs: number): Metric | undefined {
  return stats && { timestamp: toTimestamp(nowMs), id, data: toData(stats) };
}

function toData(stats: TaskStats): Any {
  return stats.version === 1
    ? packAny('io.containerd.cgroups.v1.Metrics', MetricsV1, MetricsV1.fromPartial(toMetricsV1(stats)))
    : packAny('io.containerd.cgroups.v2.Metrics', MetricsV2, MetricsV2.fromPartial(toMetricsV2(stats)));
}
