import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findRunning, parseCommandLine } from './running.ts';

const argv = (line: string) => parseCommandLine(line.split(' '), '/s/tasks');

describe('parseCommandLine', () => {
  it('knows a monitor by its bundle', () => {
    const monitor = { program: 'monitor', folder: '/s/tasks/default/web' };
    expect(argv('/usr/bin/conmon --api-version -c web -b /s/tasks/default/web -p x')).toEqual(monitor);
    expect(argv('conmon -b /s/tasks/default/web/exec/e')?.folder).toBe('/s/tasks/default/web/exec/e');
  });

  it('knows a command of the runtime by its log', () => {
    expect(argv('runc --root /r --log /s/tasks/default/web/runtime.log checkpoint web')).toEqual({
      program: 'runtime',
      folder: '/s/tasks/default/web',
    });
  });

  it('leaves others alone', () => {
    for (const line of [
      '',
      'conmon -c web',
      'conmon -b /other/tasks/default/web',
      'conmon -b /s/tasksx/default/web',
      'sleep 100',
      'runc --log',
      'runc --log /var/log/x create',
      'vi -b /s/tasks/default/web',
    ]) {
      expect(argv(line), `command line ${line}`).toBeUndefined();
    }
  });
});

describe('findRunning', () => {
  it('looks through the command lines and leaves out who has ended meanwhile', async () => {
    const proc = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    const write = (pid: number, line: string) => {
      mkdirSync(join(proc, String(pid)));
      writeFileSync(join(proc, String(pid), 'cmdline'), line.replaceAll(' ', '\0'));
    };
    write(process.pid, 'conmon -b /s/tasks/default/web');
    write(2 ** 22 - 1, 'conmon -b /s/tasks/default/gone');
    mkdirSync(join(proc, 'sys'));
    const found = await findRunning('/s/tasks', proc);
    rmSync(proc, { recursive: true });
    expect(found.map(({ folder, identity }) => [folder, identity.pid])).toEqual([
      ['/s/tasks/default/web', process.pid],
    ]);
  });
});
