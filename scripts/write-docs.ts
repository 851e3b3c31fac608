/** Writes the pages of docs/ that are made of the sources: `node scripts/write-docs.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from '#config/document.ts';
import { metricsPage } from '#metrics/document.ts';

const docs = join(import.meta.dirname, '../docs');
writeFileSync(join(docs, 'configuration.md'), configurationPage());
writeFileSync(join(docs, 'metrics.md'), metricsPage());
