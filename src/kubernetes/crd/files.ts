import { dump } from 'js-yaml';
import { definitions, toCustomResourceDefinition } from './definitions.ts';
import { toReference } from './reference.ts';

const header = '# Made by scripts/crds.ts from the schemas in src/kubernetes/; change those instead.\n';

/** Every file that follows from the schemas: path from the project's root → content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...definitions.map((definition): [string, string] => [
      `deploy/crds/${definition.plural}.yaml`,
      header + dump(toCustomResourceDefinition(definition), { lineWidth: 120, noRefs: true }),
    ]),
    ['docs/api-reference.md', toReference()],
  ]);
}
