import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasOtherWriter } from './stdin-rule.ts';

describe('hasOtherWriter', () => {
  it('finds another process that has the file open for writing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
    const fifo = join(folder, 'in');
    execFileSync('mkfifo', [fifo]);
    const open = (pid: number, flags: string) => {
      const at = join(folder, 'proc', String(pid));
      rmSync(at, { recursive: true, force: true });
      mkdirSync(join(at, 'fd'), { recursive: true });
      mkdirSync(join(at, 'fdinfo'));
      symlinkSync(fifo, join(at, 'fd/3'));
      writeFileSync(join(at, 'fdinfo/3'), `pos:\t0\nflags:\t${flags}\nmnt_id:\t9\n`);
    };
    const look = () => hasOtherWriter(fifo, join(folder, 'proc'));
    expect(look()).toBe(false);
    open(process.pid, '0100002');
    expect(look(), 'ourselves').toBe(false);
    open(7, '0104000');
    expect(look(), 'a reader').toBe(false);
    open(7, '0104001');
    expect(look(), 'a writer').toBe(true);
    open(7, '0104002');
    expect(look(), 'both').toBe(true);
    rmSync(folder, { recursive: true });
  });
});
