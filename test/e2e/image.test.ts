import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
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
  return inImageWith({}, program, ...argv);
}

function inImageWith(more: Readonly<Record<string, string>>, program: string, ...argv: string[]): string {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...more };
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
      Labels: {
        'org.opencontainers.image.title': 'runlet',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.base.name': 'docker.io/library/debian:trixie-slim',
        'dev.runlet.sbom': '/usr/share/runlet/sbom.spdx.json',
      },
    });
    const { Labels } = config as { Labels: Record<string, string> };
    expect(Labels['org.opencontainers.image.description']).toMatch(/^A Kubernetes node agent/);
    expect(Labels['org.opencontainers.image.revision']).toMatch(/^([0-9a-f]{40})?$/);
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

  it('lists every package of Debian, every module and Node, each once and with its version', () => {
    const sbom = JSON.parse(readFileSync(join(root, 'usr/share/runlet/sbom.spdx.json'), 'utf8')) as Sbom;
    expect(sbom).toMatchObject({ spdxVersion: 'SPDX-2.3', dataLicense: 'CC0-1.0', name: `runlet-${version}` });
    const listed = sbom.packages.map(({ name, versionInfo }) => `${name} ${versionInfo}`).toSorted();
    const installed = inImage('dpkg-query', '-W', '-f', '${db:Status-Status} ${Package} ${Version}\n')
      .split('\n')
      .flatMap((line) => (line.startsWith('installed ') ? [line.slice('installed '.length)] : []));
    expect(installed.length).toBeGreaterThan(50);
    const node = `node ${inImage('node', '--version').trim().slice(1)}`;
    expect(listed).toEqual([`runlet ${version}`, node, ...installed, ...modules()].toSorted());
    expect(listed.join('\n')).toMatch(/^node-unix-socket-linux-\w+-gnu /m);
    const urls = sbom.packages.flatMap(({ externalRefs }) => externalRefs.map((each) => each.referenceLocator));
    expect(new Set(urls).size).toBe(sbom.packages.length);
    expect(sbom.relationships).toHaveLength(sbom.packages.length);
  });
});

interface Sbom {
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo: string;
    readonly externalRefs: readonly { readonly referenceLocator: string }[];
  }[];
  readonly relationships: readonly unknown[];
}

/** What the agent is made of: no tool, and of what is for one platform only this one's. */
function modules(): string[] {
  const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; dev?: boolean; optional?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { version: its, dev, optional }]) =>
    path === '' || dev || (optional && !existsSync(join(root, 'usr/lib/runlet', path)))
      ? []
      : [`${path.replace(/^.*node_modules\//, '')} ${its}`],
  );
}

describe('a program that is started in the image', () => {
  it('has one arena of malloc, unless it is told another number', () => {
    writeFileSync(join(root, 'arenas.cjs'), 'console.log("arenas", process.env.MALLOC_ARENA_MAX)');
    const env = { NODE_OPTIONS: '--require=/arenas.cjs' };
    expect(inImageWith(env, 'runlet', '--version')).toContain('arenas 1\n');
    expect(inImageWith({ ...env, MALLOC_ARENA_MAX: '4' }, 'runlet', '--version')).toContain('arenas 4\n');
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
