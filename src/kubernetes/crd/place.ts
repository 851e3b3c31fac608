import { RunletError } from '#errors/errors.ts';
import type { StructuralSchema } from './structural-schema.ts';

/**
 * The schema with one place in it changed. A path names fields with dots between them, `[]` the items of a list; the empty
 * path is the root. Throws RunletError when there is no such place, so that no rule is lost when a field is renamed.
 */
export function place(
  schema: StructuralSchema,
  path: string,
  change: (at: StructuralSchema) => StructuralSchema,
): StructuralSchema {
  return descend(schema, path.split(/\.|(?=\[\])/).filter(Boolean), change, path);
}

/** Makes the list there a map by one field of its items, so that names are unique and appliers own single items. */
export function setListType(schema: StructuralSchema, path: string, key: string): StructuralSchema {
  return place(schema, path, (list) => ({
    ...list,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
  }));
}

function descend(
  schema: StructuralSchema,
  steps: readonly string[],
  change: (at: StructuralSchema) => StructuralSchema,
  path: string,
): StructuralSchema {
  const [step, ...rest] = steps;
  if (step === undefined) return change(schema);
  if (step === '[]') return { ...schema, items: descend(found(schema.items, path), rest, change, path) };
  const child = descend(found(schema.properties?.[step], path), rest, change, path);
  return { ...schema, properties: { ...schema.properties, [step]: child } };
}

function found(schema: StructuralSchema | undefined, path: string): StructuralSchema {
  if (!schema) throw new RunletError('internal', `the schema has no place ${path}`);
  return schema;
}
