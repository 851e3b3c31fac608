import { createHash } from 'node:crypto';
import { immutableFields, inPlaceFields } from '../node-task/schema.ts';
import type { NodeTaskSpec } from '../node-task/types.ts';

const notOfTheContainer: ReadonlySet<string> = new Set([...inPlaceFields, ...immutableFields]);

/**
 * Names the fields of a spec that a container is made from: equal texts, equal containers. A change of any other field changes
 * the task in place. The order of a map's keys does not matter, that of a list does.
 */
export function containerHash(spec: NodeTaskSpec): string {
  const fields = Object.entries(spec).filter(([name]) => !notOfTheContainer.has(name));
  return createHash('sha256')
    .update(canonical(Object.fromEntries(fields)))
    .digest('hex')
    .slice(0, 16);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
