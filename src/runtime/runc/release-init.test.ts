import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '#errors/errors.ts';
import { identify, identifyOrEnded } from '#host/process.ts';
import { releaseInit } from './release-init.ts';

let folder: string;
let fifo: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  fifo = join(folder, 'exec.fifo');
  execFileSync('mkfifo', [fifo]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const me = identify(process.pid)!;

describe('releaseInit', () => {
  it('takes the byte of whoever waits for a reader, and the FIFO away', async () => {
    const init = spawn('/bin/sh', ['-c', `printf 0 > '${fifo}'`], { stdio: 'ignore' });
    const ended = new Promise((resolve) => init.on('exit', resolve));
    expect(await releaseInit(fifo, me)).toBe(true);
    expect(await ended).toBe(0);
    expect(existsSync(fifo)).toBe(false);
  });

  it('says that there is no FIFO', async () => {
    expect(await releaseInit(join(folder, 'none'), me)).toBe(false);
  });

  it('does not wait for an init that has ended', async () => {
    await expect(releaseInit(fifo, identifyOrEnded(2 ** 22 - 1))).rejects.toThrow(UnavailableError);
  });
});
