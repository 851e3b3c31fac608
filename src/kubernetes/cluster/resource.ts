import { apiVersion } from '../node-task/fields.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';

/** One of our kinds, and its name in URLs. */
export interface Resource {
  readonly kind: string;
  readonly plural: string;
}

export const nodeTasks: Resource = { kind: 'NodeTask', plural: 'nodetasks' };

const root = `/apis/${apiVersion}`;

/** The objects of every namespace. */
export function collectionPath({ plural }: Resource): string {
  return `${root}/${plural}`;
}

/** One object; `subresource` such as `status`. */
export function objectPath(
  { plural }: Resource,
  { namespace, name }: Pick<ObjectIdentity, 'namespace' | 'name'>,
  subresource?: string,
): string {
  const path = `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`;
  return subresource ? `${path}/${subresource}` : path;
}
