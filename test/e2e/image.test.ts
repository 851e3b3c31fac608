import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mount } from '#host/mounts.ts';
import { removeUnmounted } from '#host/trees.ts';

const project = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };

let folder: string;
let root: string;
const archive = (name: string) => join(folder, `${name}.tar`);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  for (const name of ['one', 'two']) {
    const argv = [join(project, 'scripts/image.ts'), '--output', archive(name)];
    execFileSync(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  }
  const layout = join(folder, 'layout');
  execFileSync('skopeo', ['copy', '--quiet', `docker-archive:${archive('one')}`, `oci:${layout}:image`]);
  root = join(folder, 'rootfs');
  execFileSync('umoci', ['raw', 'unpack', '--image', `${layout}:image`, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await mount({ type: 'proc', source: 'proc', options: [] }, join(root, 'proc'));
});
afterAll(async () => await removeUnmounted(folder));

/** Runs a program of the image in its root file system, as a container does, and returns what it said. */
function inImage(program: string, ...argv: string[]): string {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  return execFileSync('chroot', [root, program, ...argv], { encoding: 'utf8', env });
}

function inspect(name: string, ...options: string[]): Record<string, unknown> {
  const argv = ['inspect', ...options, `docker-archive:${archive(name)}`];
  return JSON.parse(execFileSync('skopeo', argv, { encoding: 'utf8' })) as Record<string, unknown>;
}

const sum = (name: string) => execFileSync('sha256sum', [archive(name)], { encoding: 'utf8' }).split(' ')[0];

describe('the image', () => {
  it('is the same when it is built again', () => {
    expect(inspect('two', '--raw')).toEqual(inspect('one', '--raw'));
    expect(sum('two')).toBe(sum('one'));
  });

  it('is named after its version and says what it is', () => {
    const names = execFileSync('tar', ['-xOf', archive('one'), 'manifest.json'], { encoding: 'utf8' });
    expect(names).toContain(`runlet:${version}"`);
    const { config } = inspect('one', '--config') as {
      config: { Labels: object; Entrypoint: string[]; Cmd: string[] };
    };
    expect(config).toMatchObject({
      ...{ Entrypoint: ['/usr/lib/runlet/entrypoint.sh'], Cmd: ['agent'] },
      Labels: { 'org.opencontainers.image.version': version, 'org.opencontainers.image.licenses': 'Apache-2.0' },
    });
    expect(statSync(archive('one')).size).toBeLessThan(350 * 1024 * 1024);
  });

  it.each([
    ['/usr/lib/runlet/entrypoint.sh', '--version', version],
    ['runlet', '--version', version],
    ['node', '--version', 'v24.'],
    ['runc', '--version', 'runc version 1.'],
    ['crun', '--version', 'crun version 1.'],
    ['criu', '--version', 'Version: 4.'],
    ['skopeo', '--version', 'skopeo version 1.'],
    ['umoci', '--version', 'umoci version 0.'],
    ['flock', '--version', 'flock from util-linux'],
    ['setpriv', '--version', 'setpriv from util-linux'],
  ])('has %s', (program, option, says) => {
    expect(inImage(program, option)).toContain(says);
  });

  it('has a conmon that every feature of the agent can use', () => {
    const [, minor = 0, patch = 0] = /version 2\.(\d+)\.(\d+)/.exec(inImage('conmon', '--version'))?.map(Number) ?? [];
    expect(minor * 1000 + patch).toBeGreaterThanOrEqual(1008);
  });

  it('has what skopeo needs to trust registries', () => {
    for (const file of ['etc/containers/policy.json', 'etc/ssl/certs/ca-certificates.crt']) {
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  });

  it('lists what is in it', () => {
    const sbom = JSON.parse(readFileSync(join(root, 'usr/share/runlet/sbom.spdx.json'), 'utf8')) as {
      spdxVersion: string;
      packages: { name: string; versionInfo: string }[];
    };
    expect(sbom.spdxVersion).toBe('SPDX-2.3');
    const names = sbom.packages.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['runlet', 'node', 'runc', 'conmon', 'libc6', '@grpc/grpc-js', 'zod']),
    );
    expect(names).not.toContain('vitest');
  });
});

const bin = () => join(root, 'node/runlet/bin');
const start = () => inImage('/usr/lib/runlet/entrypoint.sh', 'agent', '--root=/node/runlet', '--help');

describe('an agent that starts in the image', () => {
  it('first copies what must outlive its pod to the node, where it works without the image', () => {
    expect(start()).toContain('agent');
    const [name = '', ...others] = readdirSync(bin());
    expect(others).toEqual([]);
    expect(name).toMatch(new RegExp(`^${version}-[0-9a-f]{12}$`));
    expect(inImage(`/node/runlet/bin/${name}/conmon`, '--version')).toContain('conmon version 2.');
    expect(inImage(`/node/runlet/bin/${name}/runc`, '--version')).toContain('runc version 1.');
    const made = statSync(join(bin(), name)).ino;
    start();
    expect(statSync(join(bin(), name)).ino).toBe(made);
  });

  it('removes programs of other versions once no monitor of theirs lives', async () => {
    for (const name of ['0.0.1-old', '0.0.2-alive']) mkdirSync(join(bin(), name), { recursive: true });
    const monitor = spawn('sh', ['-c', 'read line', '/node/runlet/bin/0.0.2-alive/conmon'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    try {
      await new Promise((resolve) => monitor.once('spawn', resolve));
      start();
      const kept = readdirSync(bin());
      expect(kept).toContain('0.0.2-alive');
      expect(kept).not.toContain('0.0.1-old');
    } finally {
      monitor.kill('SIGKILL');
      await new Promise((resolve) => monitor.once('exit', resolve));
    }
    start();
    expect(readdirSync(bin())).not.toContain('0.0.2-alive');
  });
});
