import { join } from 'node:path';
import { FailedPreconditionError, errorMessage } from '#errors/errors.ts';
import { listNames, ownership, readText } from '#host/files.ts';

/** A file with its text, or why it cannot be read. */
export interface ReadFile {
  readonly name: string;
  readonly text?: string;
  readonly problem?: string;
}

const manifestName = /^[^.].*\.(?:ya?ml|json)$/;
const writableByOthers = 0o022;

/**
 * Throws FailedPreconditionError unless the folder is there and only root may write into it: whoever writes there runs what he
 * likes as root.
 */
export async function checkManifestFolder(folder: string, ownerUid = 0): Promise<void> {
  const found = await ownership(folder);
  if (!found) throw new FailedPreconditionError(`--manifests: there is no folder ${folder}`);
  if (!found.isFolder) throw new FailedPreconditionError(`--manifests: ${folder} is no folder`);
  if (found.uid !== ownerUid) {
    throw new FailedPreconditionError(
      `--manifests: ${folder} belongs to user ${found.uid}: make it root's (chown root ${folder})`,
    );
  }
  if ((found.mode & writableByOthers) !== 0) {
    throw new FailedPreconditionError(
      `--manifests: others than root may write into ${folder}: take that away (chmod go-w ${folder})`,
    );
  }
}

/** The files of the folder that hold NodeTasks, by name. Throws when the folder itself cannot be read. */
export async function readManifestFolder(folder: string, ownerUid = 0): Promise<readonly ReadFile[]> {
  await checkManifestFolder(folder, ownerUid);
  const names = (await listNames(folder)).filter((name) => manifestName.test(name));
  const files = await Promise.all(names.map((name) => readOne(folder, name)));
  return files.flatMap((file) => file ?? []);
}

/** Undefined when it is gone again. */
async function readOne(folder: string, name: string): Promise<ReadFile | undefined> {
  const path = join(folder, name);
  try {
    const found = await ownership(path);
    if (found?.isFolder) return undefined;
    const text = await readText(path);
    return text === undefined ? undefined : { name, text };
  } catch (error) {
    return { name, problem: `it cannot be read: ${errorMessage(error)}` };
  }
}
