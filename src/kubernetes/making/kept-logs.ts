import { existsSync, removeTree, renameSync } from '#host/files.ts';

/** Removes the logs of an object. None there is success. */
export async function removeLogs(folder: string): Promise<void> {
  await removeTree(folder);
}

/**
 * Gives the logs of an object that is gone the name `<id>_<uid>`, so that they do not mix with a namesake's; they are removed
 * when their time is over. Done before is success.
 */
export function keepLogs(folder: string, uid: string): void {
  const kept = `${folder}_${uid}`;
  if (existsSync(folder) && !existsSync(kept)) renameSync(folder, kept);
}
