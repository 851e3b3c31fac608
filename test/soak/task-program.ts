import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeBusyboxRootfs } from '../support/rootfs.ts';
import type { Life } from './plan.ts';

/** Where tasks see the folder that they share with the soak. */
const sharedPath = '/shared';

/**
 * What a task runs. The kernel holds its lock as long as any process of it lives, however it ends, so that a second one of
 * its name cannot have it. It notes each start, and each end of its own.
 */
const script = `
exec 9>>${sharedPath}/locks/$SOAK_NAME
flock -n 9 || echo "$SOAK_NAME $SOAK_UID $1" >>${sharedPath}/violations
echo "start $SOAK_UID $1" >>${sharedPath}/runs/$SOAK_NAME
if [ "$4" = yes ]; then trap 'exit 0' TERM; else trap '' TERM; fi
if [ "$2" = 0 ]; then
  while :; do sleep 100000 & wait $!; done
fi
sleep "$2" & wait $!
echo "end $SOAK_UID $1 $3" >>${sharedPath}/runs/$SOAK_NAME
exit "$3"
`;

/** The fields of a spec that make it run, in a folder that `makeSharedFolder` has made. */
export function programSpec(options: {
  readonly shared: string;
  readonly revision: number;
  readonly life: Life;
  readonly obeys: boolean;
}): object {
  const { shared, revision, life, obeys } = options;
  return {
    command: ['/bin/sh', '-c', script, 'soak'],
    args: programArgs({ revision, life, obeys }),
    env: [
      { name: 'SOAK_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'SOAK_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
    ],
    volumes: [{ name: 'shared', hostPath: { path: shared, type: 'Directory' } }],
    volumeMounts: [{ name: 'shared', mountPath: sharedPath }],
  };
}

export function programArgs(options: {
  readonly revision: number;
  readonly life: Life;
  readonly obeys: boolean;
}): readonly string[] {
  const { revision, life, obeys } = options;
  return [String(revision), String(life.seconds), String(life.code), obeys ? 'yes' : 'no'];
}

/** A root file system with busybox and flock, which busybox may lack. */
export function makeSoakRootfs(folder: string): string {
  makeBusyboxRootfs(folder);
  const flock = execFileSync('/bin/sh', ['-c', 'command -v flock'], { encoding: 'utf8' }).trim();
  const libraries = execFileSync('ldd', [flock], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const file of libraries) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    copyFileSync(file, join(folder, file));
  }
  // Where busybox has an applet of that name, this one takes its place.
  rmSync(join(folder, 'bin/flock'), { force: true });
  copyFileSync(flock, join(folder, 'bin/flock'));
  return folder;
}

/** What the tasks of one name and object have noted. */
export interface Runs {
  /** The revision of each start, in order. */
  readonly starts: readonly number[];
  /** The exit codes with which it ended by itself. */
  readonly ends: readonly number[];
}

/** The folder that tasks and soak share, on the side of the soak. */
export class SharedFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    for (const name of ['locks', 'runs']) mkdirSync(join(path, name), { recursive: true });
  }

  /** Names whose tasks have run twice at once, each with UID and revision of the second. */
  violations(): readonly string[] {
    const file = join(this.path, 'violations');
    return existsSync(file) ? linesOf(file) : [];
  }

  /** By UID. */
  runs(): ReadonlyMap<string, Runs> {
    const found = new Map<string, { starts: number[]; ends: number[] }>();
    for (const name of readdirSync(join(this.path, 'runs'))) {
      for (const line of linesOf(join(this.path, 'runs', name))) {
        const [what, uid = '', revision, code] = line.split(' ');
        const runs = found.get(uid) ?? { starts: [], ends: [] };
        found.set(uid, runs);
        if (what === 'start') runs.starts.push(Number(revision));
        else runs.ends.push(Number(code));
      }
    }
    return found;
  }
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}
