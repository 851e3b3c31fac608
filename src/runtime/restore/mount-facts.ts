import { join } from 'node:path';
import { existsSync, fileIdentity, readLinkSync } from '#host/files.ts';
import { readMounts } from '#host/mounts.ts';
import type { MountFacts } from './mount-rules.ts';

/** As the kernel's own bound on links in one path. */
const mostLinks = 40;

/** What is mounted in the mount namespace of a process that stands still, and where the node has what should be. */
export function readMountFacts({
  pid,
  rootfs,
  proc = '/proc',
}: {
  readonly pid: number;
  readonly rootfs: string;
  readonly proc?: string;
}): MountFacts {
  const root = `${proc}/${pid}/root`;
  const mounts = readMounts(`${proc}/${pid}/mountinfo`).map(({ mountPoint, type, options }) => ({
    ...{ mountPoint, type, options },
    ...fileIdentity(join(root, mountPoint)),
  }));
  return {
    mounts,
    rootFile: fileIdentity(rootfs)?.file,
    resolved: (destination) => resolveInRoot(root, destination),
    sourceFile: (source) => fileIdentity(source)?.file,
    exists: (path) => existsSync(join(root, resolveInRoot(root, path))),
  };
}

/** A path without links, as a process with this root sees it; what is not there stays as it is written. */
export function resolveInRoot(root: string, path: string): string {
  const names = path.split('/');
  const walked: string[] = [];
  for (let links = 0; names.length > 0;) {
    const name = names.shift() ?? '';
    if (name === '..') walked.pop();
    if (name === '..' || name === '.' || name === '') continue;
    const target = links < mostLinks ? readLinkSync(join(root, ...walked, name)) : undefined;
    if (target === undefined) {
      walked.push(name);
      continue;
    }
    links += 1;
    if (target.startsWith('/')) walked.length = 0;
    names.unshift(...target.split('/'));
  }
  return `/${walked.join('/')}`;
}
