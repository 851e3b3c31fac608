import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  cpSync('scripts', join(folder, 'scripts'), { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) cpSync(name, join(folder, name));
  mkdirSync(join(folder, 'bin'));
  chmodSync(folder, 0o755);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that stands for another on PATH and writes down how it was called. */
function stand(name: string, script: string): void {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\necho "${name} $*" >>${folder}/calls\n${script}\n`, {
    mode: 0o755,
  });
}

function sh(script: string, ...args: readonly string[]) {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` };
  const { status, stdout, stderr } = spawnSync('sh', [script, ...args], { cwd: folder, env, encoding: 'utf8' });
  return { status, lines: (stdout + stderr).split('\n').filter(Boolean) };
}

describe('the set-up', () => {
  it('says in one line that a user without root cannot run it', () => {
    for (const command of ['quickstart', 'test']) {
      const { status, stdout, stderr } = spawnSync(
        'setpriv',
        ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', 'scripts/bootstrap.sh', command],
        { cwd: folder, encoding: 'utf8' },
      );
      expect(status).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^[^\n]*needs root[^\n]*\n$/u);
    }
  });

  it('is silent when all packages are there', () => {
    expect(sh('scripts/packages.sh', 'quickstart', 'node')).toEqual({ status: 0, lines: [] });
  });

  it('installs node modules again after a failure, and then no more', () => {
    stand('npm', `[ -e tried ] || { touch tried; exit 1; }; mkdir -p node_modules`);
    stand('sleep', 'exit 0');
    expect(sh('scripts/bootstrap.sh', 'modules')).toMatchObject({ status: 0 });
    expect(sh('scripts/bootstrap.sh', 'modules')).toEqual({ status: 0, lines: [] });

    writeFileSync(join(folder, 'package-lock.json'), '{}');
    expect(sh('scripts/bootstrap.sh', 'modules')).toMatchObject({
      status: 0,
      lines: ['runlet: installing node modules'],
    });
  });

  it('tells what it installs and why it could not, and leaves the services of packages alone', () => {
    stand('dpkg-query', 'exit 1');
    stand('dpkg', 'exit 0');
    stand('apt-get', `case "$*" in *install*) echo 'E: no such package'; exit 100 ;; esac`);
    const { status, lines } = sh('scripts/packages.sh', 'image');
    expect(status).toBe(1);
    expect(lines[0]).toBe('runlet: installing Debian packages: buildah mmdebstrap debian-archive-keyring skopeo git');
    expect(lines).toContain('E: no such package');
    expect(lines.at(-1)).toBe('runlet: cannot install buildah mmdebstrap debian-archive-keyring skopeo git');
  });
});
