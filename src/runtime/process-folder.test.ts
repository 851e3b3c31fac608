import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { ProcessFolder } from './process-folder.ts';

let path: string;
let folder: ProcessFolder;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  folder = new ProcessFolder(path);
  folder.create();
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

describe('ProcessFolder', () => {
  it('knows nothing before something is written', () => {
    expect(folder.readIdentity('process')).toBeUndefined();
    expect(folder.readPidFile('pid')).toBeUndefined();
    expect(folder.readStarted()).toBeUndefined();
    expect(folder.readMonitorExit()).toBeUndefined();
    expect(folder.readExit()).toBeUndefined();
    expect(folder.oomSeen).toBe(false);
  });

  it('gives back what was written', () => {
    const identity = { pid: 5, startTime: '99999999999999999999', bootId: 'b' };
    folder.writeIdentity('process', identity);
    expect(folder.readIdentity('process')).toEqual(identity);
    folder.writeStarted(1_700_000_000_123);
    expect(folder.readStarted()).toBe(1_700_000_000_123);
    const exit = { status: 3, atMs: 5, reason: 'Exited', final: { cpuUsageUsec: 2n ** 60n } } as const;
    folder.writeExit(exit);
    expect(folder.readExit()).toEqual(exit);
    folder.writeExit({ status: 255, atMs: 6, reason: 'Lost' });
    expect(folder.readExit()).toEqual({ status: 255, atMs: 6, reason: 'Lost' });
  });

  it('refuses a note that is not whole', () => {
    writeFileSync(join(path, 'process.id'), '12');
    expect(() => folder.readIdentity('process')).toThrow(MalformedError);
    writeFileSync(join(path, 'persist/exit'), '');
    expect(() => folder.readMonitorExit()).toThrow(MalformedError);
  });

  it('takes pids for pids only', () => {
    for (const text of ['', '0', '-1', 'x', '1.5']) {
      writeFileSync(join(path, 'pid'), text);
      expect(folder.readPidFile('pid'), `pid file ${text}`).toBeUndefined();
    }
    writeFileSync(join(path, 'pid'), '41\n');
    expect(folder.readPidFile('pid')).toBe(41);
  });

  it.each([
    ['0', 0],
    ['137', 137],
    ['-1', 255],
    ['256', 0],
  ])('reads the status %s as %i', (text, status) => {
    writeFileSync(join(path, 'persist/exit'), text);
    expect(folder.readMonitorExit()).toMatchObject({ status });
  });
});
