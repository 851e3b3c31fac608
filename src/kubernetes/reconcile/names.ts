import { createHash } from 'node:crypto';
import { isIdentifier, parseNamespace, parseTaskId, type Namespace, type TaskRef } from '#task/ids.ts';
import type { ObjectIdentity } from './source.ts';

const prefix = 'k8s.';
/** What of a name is shown beside the hash where it cannot stand as it is. */
const shownLength = 40;
const hashDigits = 10;

/** The containerd namespace of a Kubernetes namespace: `k8s.team-a`; with a hash where that is no containerd identifier. */
export function toNamespace(kubeNamespace: string): Namespace {
  const plain = `${prefix}${kubeNamespace}`;
  if (isIdentifier(plain)) return parseNamespace(plain);
  const shown = kubeNamespace.slice(0, shownLength).replaceAll(/-+/g, '-').replace(/-$/, '');
  const digest = createHash('sha256').update(kubeNamespace).digest('hex').slice(0, hashDigits);
  return parseNamespace(`${prefix}${shown}.${digest}`);
}

/** Where an object's task stands on the node. Throws InvalidArgumentError for a name that is no containerd identifier. */
export function toTaskRef({ namespace, name }: Pick<ObjectIdentity, 'namespace' | 'name'>): TaskRef {
  return { namespace: toNamespace(namespace), id: parseTaskId(name) };
}
