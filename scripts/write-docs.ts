/** Writes the pages of docs/ that are made of the sources, and the chart's dashboard: `node scripts/write-docs.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '#cli/table/table.ts';
import { verbsPage } from '#cli/verbs-page.ts';
import { configurationPage } from '#config/document.ts';
import { metricsPage } from '#metrics/document.ts';
import { dashboard } from './dashboard.ts';

const docs = join(import.meta.dirname, '../docs');
writeFileSync(join(docs, 'configuration.md'), configurationPage());
writeFileSync(join(docs, 'metrics.md'), metricsPage());
const chartFiles = join(import.meta.dirname, '../charts/runlet/files');
writeFileSync(join(chartFiles, 'dashboard.json'), `${JSON.stringify(dashboard(), undefined, 2)}\n`);
writeFileSync(join(docs, 'verbs.md'), verbsPage(commands));
