import { TerminalError } from '#errors/errors.ts';
import type { UserSpec } from '#oci/runtime-spec.ts';
import type { NodeTask } from './types.ts';

/** Who a user is by the root file system's own /etc/passwd and /etc/group. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * The user to look up in the root file system, as images write it (`name`, `uid`, `uid:gid`): the task's own numbers before
 * those of the image. Empty is user 0.
 */
export function userText(task: NodeTask, imageUser = ''): string {
  const { runAsUser, runAsGroup } = task.spec.securityContext ?? {};
  const [imageName = '', imageGroup] = imageUser.split(':');
  const name = runAsUser === undefined ? imageName || '0' : String(runAsUser);
  const group = runAsGroup ?? (runAsUser === undefined ? imageGroup : undefined);
  return group === undefined ? name : `${name}:${group}`;
}

/** The process's user. Throws TerminalError when it is 0 and must not be. */
export function toUserSpec(task: NodeTask, user: ResolvedUser): UserSpec {
  const { runAsNonRoot, supplementalGroups = [] } = task.spec.securityContext ?? {};
  if (runAsNonRoot && user.uid === 0) {
    throw new TerminalError(
      'InvalidSpec',
      'spec.securityContext.runAsNonRoot: the image runs as user 0; name another with runAsUser',
    );
  }
  const additionalGids = [...new Set([...user.additionalGids, ...supplementalGroups])];
  return { uid: user.uid, gid: user.gid, ...(additionalGids.length > 0 ? { additionalGids } : {}) };
}
