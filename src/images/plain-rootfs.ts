import { isAbsolute } from 'node:path';
import {
  FailedPreconditionError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  TerminalError,
} from '#errors/errors.ts';
import { openBeneath } from '#host/beneath.ts';
import type { Place } from '#host/beneath.ts';
import { realPath } from '#host/files.ts';

export interface PlainRootfsRules {
  /** Folders that it must be below. */
  readonly allow: readonly string[];
  /** The agent's own folders: neither below them nor around them. */
  readonly own: readonly string[];
}

/**
 * Opens a folder of the node that shall be a root file system. Links are followed only as far as they stay below the allowed
 * folder. Throws TerminalError (`PolicyViolation`) where it is not allowed, NotFoundError where there is none.
 */
export async function openPlainRootfs(path: string, rules: PlainRootfsRules): Promise<Place> {
  if (!isAbsolute(path) || path.includes('\0'))
    throw new InvalidArgumentError(`rootfs ${path}: must be an absolute path`);
  const root = await allowedRoot(path, rules.allow);
  if (root === undefined) {
    throw new TerminalError('PolicyViolation', `rootfs ${path} is below no folder of --rootfs-allow on this node`);
  }
  const place = await open(root, path);
  try {
    if (place.kind !== 'folder')
      throw new FailedPreconditionError(`rootfs ${path} is no folder: it is a ${place.kind}`);
    await refuseOwn(path, await realPath(place.path), rules.own);
    return place;
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
}

async function allowedRoot(path: string, allowed: readonly string[]): Promise<string | undefined> {
  for (const folder of allowed) {
    const root = folder.replace(/\/+$/, '');
    if ((path === root || path.startsWith(`${root}/`)) && (await realPath(root || '/')) !== undefined)
      return root || '/';
  }
  return undefined;
}

async function open(root: string, path: string): Promise<Place> {
  try {
    return await openBeneath(root, root === '/' ? path : path.slice(root.length));
  } catch (error) {
    if (error instanceof PermissionDeniedError) {
      throw new TerminalError('PolicyViolation', `rootfs ${path}: ${error.message}`, { cause: error });
    }
    if (error instanceof NotFoundError) throw new NotFoundError(`rootfs ${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** In the agent's folders are the secrets of other tasks; a folder around them shows them as well. */
async function refuseOwn(path: string, real: string | undefined, own: readonly string[]): Promise<void> {
  for (const folder of own) {
    const mine = (await realPath(folder)) ?? folder;
    if (real !== undefined && !isInside(real, mine) && !isInside(mine, real)) continue;
    throw new TerminalError('PolicyViolation', `rootfs ${path} holds, or is in, the agent's own folder ${folder}`);
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
