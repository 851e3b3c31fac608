import * as z from 'zod';
import { MalformedError } from '#errors/errors.ts';
import { statusObjectError } from './kubernetes-error.ts';
import { readObject, type KubeObject } from './object.ts';

/** Something that a watch said, and where it is then. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject; readonly resourceVersion: string }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

const eventSchema = z.looseObject({ type: z.string(), object: z.unknown() });
const bookmarkSchema = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string().min(1) }) });

/** Reads one line of a watch. An event ERROR is thrown as KubernetesError, what makes no sense as MalformedError. */
export function readWatchEvent(line: unknown, what: string): WatchEvent {
  const event = eventSchema.safeParse(line);
  if (!event.success) throw new MalformedError(`${what}: an event without type`, { cause: event.error });
  const { type, object } = event.data;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const known = readObject(object);
      return { type, object: known, resourceVersion: known.metadata.resourceVersion };
    }
    case 'BOOKMARK': {
      const bookmark = bookmarkSchema.safeParse(object);
      if (!bookmark.success)
        throw new MalformedError(`${what}: a bookmark without a version`, { cause: bookmark.error });
      return { type, resourceVersion: bookmark.data.metadata.resourceVersion };
    }
    case 'ERROR':
      throw statusObjectError(what, object);
    default:
      throw new MalformedError(`${what}: an event of the unknown type ${type.slice(0, 64)}`);
  }
}
