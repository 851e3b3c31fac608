// Writes the CustomResourceDefinitions and docs/api-reference.md from the schemas: node scripts/crds.ts
// `--check` writes nothing and fails when a file is not as it would be written.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from '#kubernetes/crd/files.ts';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

for (const [path, content] of generatedFiles()) {
  const file = join(root, path);
  if (check) {
    if (readFileSync(file, 'utf8') === content) continue;
    console.error(`${path} is not what the schemas say: run "node scripts/crds.ts"`);
    process.exitCode = 1;
    continue;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  console.log(path);
}
