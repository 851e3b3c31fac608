import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes a small root file system of the machine's static busybox, with a user of its own. */
export function makeBusyboxRootfs(folder: string): string {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'home/app']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n')) {
    if (applet && applet !== 'busybox') symlinkSync('busybox', join(folder, 'bin', applet));
  }
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n');
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n');
  return folder;
}
