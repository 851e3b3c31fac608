import { join } from 'node:path';
import { CommandFailedError } from '#errors/errors.ts';
import { makeFolder } from '#host/files.ts';
import { mount, unmount } from '#host/mounts.ts';
import type { ImageFolders } from './folders.ts';
import { overlayMount } from './layers.ts';

/** Why overlays cannot be used in a place, by trying one; undefined when they can. An overlay, for one, can carry no other. */
export async function overlayProblem(folders: ImageFolders, signal?: AbortSignal): Promise<string | undefined> {
  await using temporary = await folders.temporary();
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(temporary.path, name));
  if (!lower || !upper || !work || !merged) return undefined;
  for (const folder of [lower, upper, work, merged]) await makeFolder(folder, 0o700);
  try {
    await mount(overlayMount(lower, upper, work), merged, signal);
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailedError) return error.stderr.trim();
    throw error;
  } finally {
    await unmount(merged);
  }
}
