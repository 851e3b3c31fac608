import { CORE_SCHEMA, loadAll, mergeTag } from 'js-yaml';
import { errorMessage } from '#errors/errors.ts';
import { fieldPath, problemText } from '../node-task/problem.ts';
import type { NodeTask } from '../node-task/types.ts';
import { validateNodeTask } from '../node-task/validate.ts';

/** What a file of NodeTasks says, or all that is wrong with it: a file counts as a whole. */
export type ParsedManifest =
  | { readonly tasks: readonly NodeTask[]; readonly problems?: never }
  | { readonly problems: readonly string[]; readonly tasks?: never };

const schema = CORE_SCHEMA.withTags(mergeTag);
/** A file of root's needs few; without a bound a small file could stand for a large one. */
const maxAliases = 1000;

/**
 * Parses NodeTasks: YAML or JSON, any number of documents, and lists of objects as kubectl prints them. Pure, never throws. A
 * file that holds none is wrong: only a file that is gone deletes.
 */
export function parseManifest(text: string, nodeName: string): ParsedManifest {
  let documents: readonly unknown[];
  try {
    documents = loadAll(text, { schema, maxAliases });
  } catch (error) {
    return { problems: [`it is no YAML: ${firstLine(errorMessage(error))}`] };
  }
  const objects = documents.flatMap(unlisted);
  if (objects.length === 0) return { problems: ['it holds no NodeTask: to delete its objects, remove the file'] };
  const results = objects.map((object) => validateNodeTask(object, { source: 'local', nodeName }));
  const problems = results.flatMap(({ problems: found = [] }, index) =>
    found.map((problem) => `${whose(objects[index], index)}: ${problemText(problem)}`),
  );
  return problems.length > 0 ? { problems } : { tasks: results.flatMap(({ task }) => task ?? []) };
}

/** Empty documents are between separators; a `List` is what `kubectl get -o yaml` prints of several objects. */
function unlisted(document: unknown): readonly unknown[] {
  if (document === null || document === undefined) return [];
  if (!isRecord(document) || !String(document['kind']).endsWith('List')) return [document];
  return Array.isArray(document['items']) ? document['items'] : [document];
}

function whose(object: unknown, index: number): string {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  const name = isRecord(metadata) ? metadata['name'] : undefined;
  return typeof name === 'string' ? `NodeTask ${name}` : fieldPath(['document', index]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
