import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completionScript } from './completion.ts';
import { flagNames } from './flag-names.ts';
import { commands } from './table/table.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  const program = join(folder, 'runlet');
  writeFileSync(
    program,
    `#!/bin/sh
case "$*" in
  'ps -q') echo web; echo worker; echo db ;;
  'namespaces -q') echo default; echo k8s.team-a ;;
  'images ls -q') echo docker.io/library/busybox:1.37 ;;
esac
`,
  );
  chmodSync(program, 0o755);
  writeFileSync(join(folder, 'completion'), completionScript('bash', commands));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers at the end of this line. */
function offered(line: string): readonly string[] {
  const words = line.split(' ');
  const script = `
    source ${folder}/completion
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
    _runlet
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    env: { PATH: `${folder}:${process.env['PATH']}` },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter(Boolean);
}

describe('the completion of bash', () => {
  it('offers commands', () => {
    expect(offered('runlet p')).toEqual(['pause', 'ps']);
    expect(offered('runlet -n default re')).toEqual(['restart', 'resume', 'restore']);
    expect(offered('runlet images p')).toEqual(['pull', 'prune']);
  });

  it('offers tasks where a task is named, one or many', () => {
    expect(offered('runlet pause w')).toEqual(['web', 'worker']);
    expect(offered('runlet pause web d')).toEqual(['db']);
    expect(offered('runlet attach d')).toEqual(['db']);
    expect(offered('runlet attach db d')).toEqual([]);
    expect(offered('runlet -o json pause d')).toEqual(['db']);
  });

  it('offers flags, and the values that they may have', () => {
    expect(offered('runlet kill --s')).toEqual(['--signal']);
    expect(offered('runlet ps --name')).toEqual(['--namespace']);
    expect(offered('runlet ps -o ')).toEqual(['table', 'json']);
    expect(offered('runlet ps -n k')).toEqual(['k8s.team-a']);
    expect(offered('runlet run --restart a')).toEqual(['always']);
  });

  it('offers images', () => {
    expect(offered('runlet images rm d')).toEqual(['docker.io/library/busybox:1.37']);
  });
});

describe('the completion of fish', () => {
  it('has a line for each command and flag', () => {
    const script = completionScript('fish', commands);
    expect(script).toContain(
      "complete -c runlet -f -n '__fish_use_subcommand' -a pause -d 'freeze every process of tasks'",
    );
    expect(script).toContain("-n '__fish_seen_subcommand_from kill' -s s -l signal -r -d");
    for (const { name } of commands) expect(script).toContain(`-a ${name.split(' ').at(-1)} `);
  });
});

describe('the flags of the table', () => {
  it('have a long name each, unique in a command, and are short of the global ones', () => {
    for (const { name, flags } of commands) {
      const longs = flags.map((flag) => flagNames(flag).long);
      expect(
        longs.every((long) => /^--[a-z][a-z-]+$/.test(long)),
        name,
      ).toBe(true);
      expect(new Set([...longs, '--address', '--namespace', '--output']).size, name).toBe(longs.length + 3);
      const shorts = flags.flatMap((flag) => flagNames(flag).short ?? []);
      expect(new Set([...shorts, '-n', '-o', '-h']).size, name).toBe(shorts.length + 3);
    }
  });
});
