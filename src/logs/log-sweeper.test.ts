import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '#log/log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { LogSweeper } from './log-sweeper.ts';

const hourMs = 3_600_000;

let folder: string;
let clock: ManualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  clock = new ManualClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

function logs(name: string, agoMs: number): string {
  const path = join(folder, 'default', name);
  const at = (clock.nowMs() - agoMs) / 1000;
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, '0.log'), '');
  utimesSync(join(path, '0.log'), at, at);
  utimesSync(path, at, at);
  return path;
}

function sweeper(owned: readonly string[] = []): LogSweeper {
  return new LogSweeper({
    ...{ logDir: folder, keepMs: 24 * hourMs, clock, log: silentLog() },
    owned: (key) => owned.includes(key),
  });
}

it('removes logs without an object when their time is over, and no others', async () => {
  const old = logs('web_123', 25 * hourMs);
  const recent = logs('web_456', 23 * hourMs);
  const live = logs('web', 100 * hourMs);
  using sweep = sweeper(['default/web']);
  await sweep.look();
  expect([old, recent, live].map(existsSync)).toEqual([false, true, true]);
});

it('looks again exactly when the next one is due', async () => {
  const recent = logs('web_456', 23 * hourMs);
  using sweep = sweeper();
  await sweep.look();
  clock.advance(hourMs - 1);
  expect(existsSync(recent)).toBe(true);
  clock.advance(1);
  await sweep.look(); // shares the look that the timer began
  expect(existsSync(recent)).toBe(false);
});

it('sets no timer where there is nothing to remove', async () => {
  logs('web', hourMs);
  using sweep = sweeper(['default/web']);
  await sweep.look();
  expect(clock.pending).toBe(0);
});
