import { touch } from '#host/growing-file.ts';
import { existsSync, removeTree, renameSync } from '#host/files.ts';

/** Removes the logs of an object. None there is success. */
export async function removeLogs(folder: string): Promise<void> {
  await removeTree(folder);
}

/**
 * Gives the logs of an object that is gone the name `<id>_<uid>`, so that they do not mix with a namesake's; they are removed
 * when their time is over. Done before is success.
 */
export async function keepLogs(folder: string, uid: string, nowMs: number): Promise<void> {
  const kept = `${folder}_${uid}`;
  if (!existsSync(folder) || existsSync(kept)) return;
  // Their time counts from now; a rename leaves the folder's own time as it was.
  await touch(folder, nowMs);
  renameSync(folder, kept);
}
