/**
 * Makes the parts of charts/runlet that follow from others: the CRDs of deploy/crds, with all their rules and without what a
 * Kubernetes before 1.31 does not know; values.schema.json and the table of README.md from values.yaml. Run by
 * `npm run chart`.
 */
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { readValues, toSchema, toTable } from './chart/values.ts';

const root = join(import.meta.dirname, '..');
const chart = join(root, 'charts/runlet');

/** Every made file, by its path in the chart. */
export function madeFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(join(root, 'deploy/crds')).toSorted()) {
    const text = readFileSync(join(root, 'deploy/crds', name), 'utf8');
    files.set(`files/crds/${name}`, text);
    files.set(`files/crds-without-rules/${name}`, dump(withoutRules(load(text)), { lineWidth: 120, noRefs: true }));
  }
  const values = readValues(readFileSync(join(chart, 'values.yaml'), 'utf8'));
  files.set('values.schema.json', `${JSON.stringify(toSchema(values), null, 2)}\n`);
  files.set('README.md', readme(toTable(values)));
  return files;
}

/** Old servers refuse what they do not know in an object that is applied: selection by fields, and rules in CEL. */
function withoutRules(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutRules);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'x-kubernetes-validations' && key !== 'selectableFields')
      .map(([key, each]) => [key, withoutRules(each)]),
  );
}

function readme(table: string): string {
  const page = readFileSync(join(chart, 'README.md'), 'utf8');
  const [before = '', rest = ''] = page.split('<!-- values: begin -->');
  const [, after = ''] = rest.split('<!-- values: end -->');
  return `${before}<!-- values: begin -->\n${table}<!-- values: end -->${after}`;
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of madeFiles()) {
    mkdirSync(join(chart, path, '..'), { recursive: true });
    writeFileSync(join(chart, path), text);
  }
}
