import * as z from 'zod';
import { MalformedError } from '#errors/errors.ts';
import type { KubernetesClient } from './client.ts';
import { isExpired, KubernetesError } from './kubernetes-error.ts';
import type { KubeObject } from './object.ts';
import { readObject } from './object.ts';

/** Objects a page: small enough that an answer is quickly there and quickly read. */
const pageSize = 500;

/** What is listed or watched: a collection, and which of its objects. */
export interface Selection {
  /** Such as `/apis/runlet.dev/v1alpha1/nodetasks`. */
  readonly path: string;
  /** Such as `spec.nodeName=a`; left out for servers that cannot select by it. */
  readonly fieldSelector?: string;
  /** Which objects are kept of what the server sends: all of a cluster's would be much to hold at once. Absent: every one. */
  readonly accept?: (object: KubeObject) => boolean;
}

export interface Listing {
  readonly objects: readonly KubeObject[];
  /** Where a watch goes on from: passed on as it is, never compared. */
  readonly resourceVersion: string;
  /** Whether the server took the field selector; if not, the objects are everybody's. */
  readonly selected: boolean;
}

const page = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().min(1), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullish(),
});

/**
 * Lists a collection page by page. With `notOlderThan` the server may answer from its memory as long as it is not behind
 * that version; without, it asks its database. Throws what calls throw.
 */
export async function listAll(
  client: KubernetesClient,
  selection: Selection,
  options: { readonly notOlderThan?: string | undefined; readonly signal: AbortSignal },
): Promise<Listing> {
  const { notOlderThan, signal } = options;
  try {
    return await selected(client, selection, { notOlderThan, signal });
  } catch (error) {
    // 410: the pages' snapshot is gone. 504: the server is behind that version, as after a database's recovery, which may
    // also count in another way: 400.
    const refused = error instanceof KubernetesError && [400, 504].includes(error.status);
    const behind = refused && notOlderThan !== undefined;
    if (!isExpired(error) && !behind) throw error;
    return await selected(client, selection, { signal });
  }
}

interface ListOptions {
  readonly notOlderThan?: string | undefined;
  readonly signal: AbortSignal;
}

/** By the field selector, or without it where the server says that it cannot. */
async function selected(client: KubernetesClient, selection: Selection, options: ListOptions): Promise<Listing> {
  const { fieldSelector, ...everything } = selection;
  if (fieldSelector === undefined) return { ...(await pages(client, everything, options)), selected: false };
  try {
    return { ...(await pages(client, selection, options)), selected: true };
  } catch (error) {
    if (
      !(error instanceof KubernetesError && error.status === 400 && error.said.includes('field label not supported'))
    ) {
      throw error;
    }
    return { ...(await pages(client, everything, options)), selected: false };
  }
}

async function pages(
  client: KubernetesClient,
  { path, fieldSelector, accept = () => true }: Selection,
  { notOlderThan, signal }: ListOptions,
): Promise<Omit<Listing, 'selected'>> {
  const objects: KubeObject[] = [];
  let next: string | undefined;
  for (;;) {
    const versions =
      notOlderThan && !next ? { resourceVersion: notOlderThan, resourceVersionMatch: 'NotOlderThan' } : {};
    const query = { limit: pageSize, fieldSelector, continue: next, ...versions };
    const answer = page.safeParse(await client.get(path, { query, signal }));
    if (!answer.success) throw new MalformedError(`list ${path}: the answer is no list`, { cause: answer.error });
    const { metadata, items } = answer.data;
    objects.push(...(items ?? []).map(readObject).filter(accept));
    if (!metadata.continue) return { objects, resourceVersion: metadata.resourceVersion };
    next = metadata.continue;
  }
}
