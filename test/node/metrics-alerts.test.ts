import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alertCases, alertsFile, readAlerts } from '../support/alerts.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Lets promtool evaluate the rules over these series, and tells which labels the alert has then; annotations are not compared. */
function raised(alert: string, series: Readonly<Record<string, string>>, at: string): readonly string[] {
  const test = {
    rule_files: [alertsFile],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        // An expectation that cannot be met makes promtool say what there is instead.
        alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [{ exp_labels: { expected: 'none' } }] }],
      },
    ],
  };
  const file = join(folder, 'test.yaml');
  writeFileSync(file, JSON.stringify(test));
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  const got = /got:\[([\s\S]*)$/.exec(`${stdout}${stderr}`)?.[1] ?? '';
  return [...got.matchAll(/Labels:\{([^}]*)\}/g)].map(([, labels = '']) => labels);
}

describe('promtool', () => {
  it('takes the rules', () => {
    const check = spawnSync('promtool', ['check', 'rules', alertsFile], { encoding: 'utf8' });
    expect(check.stderr).toBe('');
    expect(check.stdout).toContain(`SUCCESS: ${readAlerts().length} rules found`);
  });

  it.each(Object.entries(alertCases))(
    'raises %s when it should and not otherwise',
    (alert, { loud, quiet, labels, at }) => {
      const rule = readAlerts().find((each) => each.alert === alert);
      const all = { alertname: alert, ...labels, ...rule?.labels };
      const text = Object.entries(all)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => `${name}="${value}"`)
        .join(', ');
      expect(raised(alert, loud, at)).toEqual([text]);
      expect(raised(alert, quiet, at)).toEqual([]);
    },
  );
});
