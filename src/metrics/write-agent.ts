import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { formatLabel, type Exposition } from './exposition.ts';

/** The part of prom-client's value that histograms and summaries add. */
type NamedValue = MetricValue<string> & { readonly metricName?: string };

/** Writes what prom-client keeps: the agent's own metrics, a few hundred series. */
export function writeAgent(metrics: readonly MetricObjectWithValues<MetricValue<string>>[], out: Exposition): void {
  for (const metric of metrics) {
    if (metric.values.length === 0) continue;
    out.family({ name: metric.name, help: metric.help, type: String(metric.type) });
    for (const value of metric.values) {
      out.text(`${nameOf(metric.name, value)}${labelsOf(value)} `);
      out.value(value.value);
    }
  }
}

function nameOf(name: string, value: NamedValue): string {
  return value.metricName ?? name;
}

function labelsOf({ labels }: NamedValue): string {
  const pairs = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined ? [] : [formatLabel(name, String(value))],
  );
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}
