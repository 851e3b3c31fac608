import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentMetrics, nodeMetrics, taskMetrics } from '#metrics/document.ts';
import { dashboard, expressions } from '../../scripts/dashboard.ts';
import { alertCases, readAlerts } from '../support/alerts.ts';

const root = join(import.meta.dirname, '../..');
const exported = [...taskMetrics(), ...nodeMetrics(), ...agentMetrics()];

/** The names in an expression that look like metrics of ours, of Node's or of a process. */
function metricsIn(expression: string): readonly string[] {
  return [...expression.matchAll(/\b(?:runlet|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name);
}

function isExported(name: string): boolean {
  const histogram = name.replace(/_(?:bucket|sum|count)$/, '');
  return exported.some((metric) => metric.name === name || (metric.type === 'histogram' && metric.name === histogram));
}

/** `metric{label="value"}` → each label that is matched, with its metric. */
function labelsIn(expression: string): readonly (readonly [metric: string, label: string])[] {
  return [...expression.matchAll(/\b((?:runlet|nodejs|process)_[a-z0-9_]+)\{([^}]*)\}/g)].flatMap(
    ([, metric = '', matchers = '']) =>
      [...matchers.matchAll(/([a-z_]+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => [metric, label] as const),
  );
}

function hasLabel([name, label]: readonly [string, string]): boolean {
  // Prometheus adds these to what it scrapes.
  if (label === 'instance' || label === 'job') return true;
  const base = name.replace(/_(?:bucket|sum|count)$/, '');
  return exported.some((metric) => (metric.name === name || metric.name === base) && label in metric.labels);
}

describe('the dashboard', () => {
  it('is what scripts/write-docs.ts writes', () => {
    const file = readFileSync(join(root, 'charts/runlet/files/dashboard.json'), 'utf8');
    expect(JSON.parse(file)).toEqual(dashboard());
  });

  it('asks for no metric and no label that is not exported', () => {
    expect(
      expressions()
        .flatMap(metricsIn)
        .filter((name) => !isExported(name)),
    ).toEqual([]);
    expect(
      expressions()
        .flatMap(labelsIn)
        .filter((each) => !hasLabel(each)),
    ).toEqual([]);
  });

  it('shows every metric that the usual profile has of a task', () => {
    const shown = new Set(expressions().flatMap(metricsIn));
    const usual = taskMetrics().filter(({ profile }) => profile !== 'full');
    // For drill-down and for other dashboards, not for this one.
    const elsewhere = ['info', 'start_time_seconds', 'memory_events_total', 'hugetlb_usage_bytes'];
    const missing = usual.filter(({ name }) => !shown.has(name)).map(({ name }) => name.replace('runlet_task_', ''));
    expect(missing.toSorted()).toEqual(elsewhere.toSorted());
  });
});

describe('the alerts', () => {
  const alerts = readAlerts();

  it('ask for no metric and no label that is not exported', () => {
    const all = alerts.map(({ expr }) => expr);
    expect(all.flatMap(metricsIn).filter((name) => !isExported(name))).toEqual([]);
    expect(all.flatMap(labelsIn).filter((each) => !hasLabel(each))).toEqual([]);
  });

  it('lead each to a section of the runbooks', () => {
    const anchors = [...readFileSync(join(root, 'docs/runbooks.md'), 'utf8').matchAll(/^## (\w+)$/gm)].map(
      ([, name = '']) => name,
    );
    expect(alerts.map(({ alert }) => alert).toSorted()).toEqual(anchors.toSorted());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
    }
  });

  it('have a test each', () => {
    expect(Object.keys(alertCases).toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });
});
