import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDescriptor, readNonblocking, type Descriptor } from '#host/descriptors.ts';
import { rotateLog, rotatedLogs } from './log-rotation.ts';

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
let folder: string;
let log: { readonly path: string; readonly control: string };
let monitor: Descriptor;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  log = { path: join(folder, '0.log'), control: join(folder, 'ctl') };
  execFileSync('mkfifo', [log.control]);
  monitor = openDescriptor(log.control, 'read-nonblocking');
});
afterEach(() => {
  monitor[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** What the monitor has been told. */
const told = () => readNonblocking(monitor, 100)?.toString() ?? '';

const limits = { maxBytes: 10, maxFiles: 3 };

describe('rotateLog', () => {
  it('leaves a short log alone', async () => {
    writeFileSync(log.path, '123456789');
    expect(await rotateLog(log, limits, nowMs)).toBe(false);
    expect(told()).toBe('');
  });

  it('sets a long one aside under its time and has the monitor open it anew', async () => {
    writeFileSync(log.path, '1234567890');
    expect(await rotateLog(log, limits, nowMs)).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['0.log.20260102-030405', 'ctl']);
    expect(told()).toBe('2 0 0\n');
  });

  it('finishes what an agent began that died after the rename', async () => {
    expect(await rotateLog(log, limits, nowMs)).toBe(false);
    expect(told()).toBe('2 0 0\n');
  });

  it('keeps the newest files, in the order of their times', async () => {
    for (let round = 0; round < 12; round += 1) {
      writeFileSync(log.path, `round ${round} ....`);
      await rotateLog(log, limits, nowMs + (round >= 11 ? 1000 : 0));
    }
    const kept = await rotatedLogs(log.path);
    expect(kept.map((path) => readFileSync(path, 'utf8'))).toEqual(['round 10 ....', 'round 11 ....']);
  });

  it('counts only files of its own', async () => {
    for (const name of ['0.log', '00.log.20260102-030405', '0.log.20260102', '0.log.20260102-030405.x', '0.log.gz']) {
      writeFileSync(join(folder, name), '');
    }
    expect(await rotatedLogs(log.path)).toEqual([]);
  });

  it('lets a log stay whole whose monitor has gone', async () => {
    writeFileSync(log.path, '1234567890');
    monitor[Symbol.dispose]();
    expect(await rotateLog(log, limits, nowMs)).toBe(false);
    expect(readFileSync(log.path, 'utf8')).toBe('1234567890');
    rmSync(log.control);
    expect(await rotateLog(log, limits, nowMs)).toBe(false);
    expect(readdirSync(folder)).toEqual(['0.log']);
  });
});
