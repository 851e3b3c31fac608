/**
 * Builds the image of deploy/Dockerfile into a docker-archive, without a registry: `npm run image`.
 *   node scripts/image.ts [--output FILE]     dist/runlet-image.tar unless named; the image in it is runlet:<version>
 *   node scripts/image.ts --context FOLDER    only makes the build's context, for docker and other builders
 * The same sources and the same Debian packages make the same image: SOURCE_DATE_EPOCH, else the last commit's time, is the
 * time of all that is in it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'rolldown';
import config from '../rolldown.config.ts';

const project = join(import.meta.dirname, '..');
const imageFolder = join(project, 'deploy/image');
/** The name that the Dockerfile begins with. */
const baseName = 'docker.io/library/debian:trixie-slim';
/** Used where neither the environment nor a commit says a time: 2026-01-01. */
const fallbackEpoch = '1767225600';

const { values } = parseArgs({ options: { output: { type: 'string' }, context: { type: 'string' } } });
const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };
const epoch = process.env['SOURCE_DATE_EPOCH'] ?? (git('log', '-1', '--format=%ct') || fallbackEpoch);

if (values.context !== undefined) await makeContext(resolve(values.context));
else await makeImage(resolve(values.output ?? join(project, 'dist/runlet-image.tar')));

async function makeImage(output: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'runlet-image-'));
  try {
    const base = makeBase();
    await makeContext(join(work, 'context'));
    say('building the image');
    importBase(work, base);
    const arguments_ = [`VERSION=${version}`, `REVISION=${git('rev-parse', 'HEAD')}`, `SOURCE_DATE_EPOCH=${epoch}`];
    bud(work, 'runlet', join(project, 'deploy/Dockerfile'), join(work, 'context'), arguments_);
    mkdirSync(dirname(output), { recursive: true });
    rmSync(`${output}.new`, { force: true });
    buildah(work, 'push', '--quiet', 'localhost/runlet', `docker-archive:${output}.new:runlet:${version}`);
    renameSync(`${output}.new`, output);
    say(`${output} holds runlet:${version}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Everything that the Dockerfile copies. */
async function makeContext(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const output = Array.isArray(config.output) ? config.output[0] : config.output;
  await build({ ...config, output: { ...output, dir: join(folder, 'runlet'), sourcemap: false }, logLevel: 'warn' });
  for (const name of ['node-unix-socket', `node-unix-socket-linux-${process.arch}-gnu`]) {
    const from = join(project, 'node_modules', name);
    if (existsSync(from))
      cpSync(from, join(folder, 'runlet/node_modules', name), { recursive: true, dereference: true });
  }
  cpSync(join(imageFolder, 'package.json'), join(folder, 'runlet/package.json'));
  copyFileSync(process.execPath, join(folder, 'node'));
  for (const name of ['packages.txt', 'install.sh', 'entrypoint.sh', 'sbom.mjs']) {
    copyFileSync(join(imageFolder, name), join(folder, name));
  }
  copyFileSync(join(project, 'package-lock.json'), join(folder, 'package-lock.json'));
}

/**
 * Debian 13's root file system with the packages of the image, as a tar archive that is kept: made anew only when the list of
 * packages changes. The archive and its keys are those of this machine's own package sources.
 */
function makeBase(): string {
  const packages = readFileSync(join(imageFolder, 'packages.txt'), 'utf8').trim().split('\n');
  const archive = debianArchive();
  const key = createHash('sha256')
    .update(JSON.stringify([packages, process.arch]))
    .digest('hex')
    .slice(0, 16);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'runlet/image-base');
  const base = join(cache, `trixie-${key}.tar`);
  if (existsSync(base)) return base;
  say('making the base of Debian packages');
  mkdirSync(cache, { recursive: true });
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const options = ['--mode=root', '--variant=essential', '--format=tar', `--include=${packages.join(',')}`];
  const source = `deb [signed-by=${keyring}] ${archive} trixie main`;
  const made = `${base}.${process.pid}`;
  try {
    run('mmdebstrap', [...options, '--aptopt=APT::Install-Recommends "false"', 'trixie', made, source], {
      SOURCE_DATE_EPOCH: fallbackEpoch,
    });
    renameSync(made, base);
  } finally {
    rmSync(made, { force: true });
  }
  return base;
}

function debianArchive(): string {
  const format = '$(ORIGIN) $(COMPONENT) $(REPO_URI)';
  const lines = () => read('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']).split('\n');
  const find = () =>
    lines()
      .find((line) => line.startsWith('Debian main '))
      ?.split(' ')[2];
  const there = find();
  if (there) return there;
  run('apt-get', ['update', '-qq']);
  const archive = find();
  if (!archive) throw new Error('this machine has no Debian archive among its package sources');
  return archive;
}

function importBase(work: string, base: string): void {
  const folder = join(work, 'base');
  mkdirSync(folder);
  cpSync(base, join(folder, 'base.tar'));
  execFileSync('tee', [join(folder, 'Dockerfile')], {
    input: 'FROM scratch\nADD base.tar /\n',
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  bud(work, baseName, join(folder, 'Dockerfile'), folder, []);
}

function bud(work: string, name: string, file: string, context: string, arguments_: readonly string[]): void {
  const built = arguments_.flatMap((argument) => ['--build-arg', argument]);
  const how = ['--isolation', 'chroot', '--pull-never', '--layers=false', '--timestamp', epoch, '--quiet'];
  buildah(work, 'bud', ...how, ...built, '--file', file, '--tag', name, context);
}

/** With a storage of its own, so that images of this machine are neither used nor changed. */
function buildah(work: string, ...argv: string[]): void {
  const storage = ['--storage-driver', 'vfs', '--root', join(work, 'storage'), '--runroot', join(work, 'run')];
  run('buildah', [...storage, ...argv]);
}

function run(program: string, argv: readonly string[], env: Record<string, string> = {}): void {
  try {
    execFileSync(program, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 28,
      encoding: 'utf8',
    });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`cannot build the image: ${program} failed: ${stderr.trim().slice(-4000)}`, { cause: error });
  }
}

function read(program: string, argv: readonly string[]): string {
  return execFileSync(program, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Empty where there is no repository. */
function git(...argv: string[]): string {
  try {
    return read('git', ['-c', 'safe.directory=*', '-C', project, ...argv]).trim();
  } catch {
    return '';
  }
}

function say(text: string): void {
  console.error(`runlet: ${text}`);
}
