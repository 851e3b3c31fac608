import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import config from '../../../rolldown.config.ts';

const root = join(import.meta.dirname, '../../..');

/** Programs of this machine that the guest needs, with the libraries they are linked with. */
const programs = [
  '/usr/sbin/runc',
  ...['conmon', 'flock', 'mount', 'umount', 'nsenter'].map((name) => `/usr/bin/${name}`),
];

/**
 * Makes the file system that the virtual machine starts from: busybox, runc, conmon, what the agent needs of util-linux, Node, the program as the project builds it
 * and the guest's own, which drives it. `files` are copied into `/app/files`. Returns the archive's path.
 */
export async function makeInitramfs(folder: string, kernel: string, files: readonly string[]): Promise<string> {
  const image = join(folder, 'image');
  for (const name of [
    'bin',
    'dev',
    'etc',
    'lib64',
    'proc',
    'run',
    'sys',
    'tmp',
    'app',
    'newroot',
    'usr/bin',
    'usr/sbin',
  ]) {
    mkdirSync(join(image, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(image, 'bin/busybox'));
  symlinkSync('busybox', join(image, 'bin/sh'));
  cpSync(join(kernel, 'modules'), join(image, 'modules'), { recursive: true });
  const node = realpathSync(process.execPath);
  copyFileSync(node, join(image, 'usr/bin/node'));
  for (const program of programs) copyFileSync(program, join(image, 'usr/bin', basename(program)));
  for (const library of new Set([node, ...programs].flatMap(librariesOf))) copyInto(image, library);
  for (const name of ['node-unix-socket', ...readdirSync(join(root, 'node_modules')).filter(isNativePart)]) {
    cpSync(realpathSync(join(root, 'node_modules', name)), join(image, 'app/node_modules', name), { recursive: true });
  }
  writeFileSync(join(image, 'app/package.json'), '{"type":"module"}');
  await bundle(join(image, 'app'));
  await buildProgram(join(image, 'app/dist'));
  mkdirSync(join(image, 'app/files'));
  for (const file of files) copyFileSync(file, join(image, 'app/files', basename(file)));
  copyFileSync(join(root, 'test/vm/guest/init'), join(image, 'init'));
  execFileSync('chmod', ['755', join(image, 'init')]);
  const archive = join(folder, 'initramfs');
  execFileSync('sh', ['-c', 'find . | cpio --quiet -o -H newc >"$0"', archive], { cwd: image });
  return archive;
}

function isNativePart(name: string): boolean {
  return name.startsWith('node-unix-socket-');
}

/** The absolute paths in what ldd says of a program. */
function librariesOf(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path ?? '').filter(Boolean);
}

function copyInto(image: string, path: string): void {
  mkdirSync(join(image, dirname(path)), { recursive: true });
  copyFileSync(realpathSync(path), join(image, path));
}

/** What `npm run build` makes, elsewhere. */
async function buildProgram(dir: string): Promise<void> {
  await using build = await rolldown({ ...config, cwd: root, logLevel: 'silent' });
  const [output] = [config.output].flat();
  await build.write({ ...output, dir, sourcemap: false });
}

async function bundle(app: string): Promise<void> {
  await using build = await rolldown({
    input: join(root, 'test/vm/guest/main.ts'),
    platform: 'node',
    external: ['node-unix-socket'],
    logLevel: 'silent',
  });
  await build.write({ file: join(app, 'main.js'), format: 'esm', codeSplitting: false });
}
