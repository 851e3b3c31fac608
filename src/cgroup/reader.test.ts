import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptFiles } from '#host/kept-files.ts';
import { openCgroupReader } from './reader.ts';
import type { TaskStats } from './stats.ts';

const fixtures = join(import.meta.dirname, '../../test/fixtures/cgroup-v2');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function captured(name: string): string {
  return join(fixtures, name);
}

function knownParts(stats: TaskStats | undefined): readonly string[] {
  return Object.entries(stats ?? {}).flatMap(([name, part]) => (part === undefined ? [] : [name]));
}

describe('a reading of Linux 6.1’s files', () => {
  it('has every number of a task at rest', () => {
    using reader = openCgroupReader({ version: 2, dirs: captured('linux-6.1-calm') }, { pageSizes: ['2MB'] });
    const stats = reader.read('full');
    const cpu = readFileSync(join(captured('linux-6.1-calm'), 'cpu.stat'), 'utf8');
    expect(cpu).toContain(`usage_usec ${stats?.cpu?.usageUsec}\n`);
    expect(cpu).toContain(`throttled_usec ${stats?.cpu?.throttledUsec}\n`);
    expect(stats).toMatchObject({
      version: 2,
      cpu: { quotaUsec: 50_000n, periodUsec: 100_000n, burstPeriods: 0n, weight: 100n },
      memory: {
        limitBytes: 67_108_864n,
        highBytes: 'unlimited',
        lowBytes: 0n,
        swapBytes: 0n,
        oomKills: 0n,
        events: { low: 0n, high: 0n, max: 0n, oom: 0n, oom_kill: 0n, oom_group_kill: 0n },
        stat: { kernel_stack: 16_384n },
      },
      pids: { current: 1n, limit: 50n, limitHits: 0n },
      hugetlb: [{ pageSize: '2MB', usageBytes: 0n, limitBytes: 'unlimited', limitHits: 0n }],
      io: { devices: [] },
      group: { populated: true, frozen: true },
    });
    expect(stats?.pressure?.cpu?.waitingUsec).toBeGreaterThan(0n);
    expect(stats?.pressure?.irq).toBeUndefined();
    expect(stats?.network).toBeUndefined();
  });

  it('has the disk that a task used', () => {
    using reader = openCgroupReader({ version: 2, dirs: captured('linux-6.1-disk') }, { pageSizes: [] });
    const [disk] = reader.read()?.io?.devices ?? [];
    expect(disk).toMatchObject({ bytes: { write: 4_194_304n, discard: 0n }, operations: { discard: 0n } });
    expect(disk?.bytes.read).toBeGreaterThanOrEqual(8_388_608n);
  });

  it('says what a lower detail does not read by leaving it out', () => {
    using reader = openCgroupReader({ version: 2, dirs: captured('linux-6.1-throttled') }, { pageSizes: ['2MB'] });
    const basic = reader.read('basic');
    expect(knownParts(basic)).toEqual(['version', 'cpu', 'memory', 'pids']);
    expect(basic?.cpu?.throttledPeriods).toBeGreaterThan(0n);
    expect(basic?.memory?.kinds).toBeUndefined();
    expect(knownParts(reader.read('standard'))).toContain('pressure');
  });
});

describe('a reader', () => {
  it('keeps open only what its detail needs, and closes it', () => {
    const before = KeptFiles.count;
    const reader = openCgroupReader({ version: 2, dirs: captured('linux-6.1-calm') }, { keep: 'basic', pageSizes: [] });
    reader.read('basic');
    const basic = KeptFiles.count - before;
    expect(basic).toBeGreaterThan(0);
    expect(reader.read('full')?.group).toEqual({ populated: true, frozen: true });
    expect(KeptFiles.count - before).toBe(basic);
    reader[Symbol.dispose]();
    expect(KeptFiles.count).toBe(before);
  });

  it('reads again what has changed', () => {
    cpSync(captured('linux-6.1-calm'), folder, { recursive: true });
    using reader = openCgroupReader({ version: 2, dirs: folder }, { pageSizes: [] });
    expect(reader.read()?.pids?.current).toBe(1n);
    writeFileSync(join(folder, 'pids.current'), '18446744073709551615\n');
    expect(reader.read()?.pids?.current).toBe(18_446_744_073_709_551_615n);
  });

  it('has nothing of a cgroup that is not there', () => {
    using reader = openCgroupReader({ version: 2, dirs: join(folder, 'gone') }, { pageSizes: ['2MB'] });
    expect(reader.read('full')).toBeUndefined();
  });

  it('takes a missing file for a missing number', () => {
    cpSync(captured('linux-6.1-calm'), folder, { recursive: true });
    rmSync(join(folder, 'memory.peak'));
    rmSync(join(folder, 'io.stat'));
    using reader = openCgroupReader({ version: 2, dirs: folder }, { pageSizes: [] });
    const stats = reader.read();
    expect(stats?.memory).toMatchObject({ limitBytes: 67_108_864n, peakBytes: undefined });
    expect(stats?.io).toBeUndefined();
  });

  it('reads v1’s block devices where they are counted: the whole tree first, then the next policy', () => {
    const blkio = join(folder, 'blkio');
    cpSync(captured('linux-6.1-calm'), blkio, { recursive: true });
    writeFileSync(join(blkio, 'pids.current'), '1\n');
    writeFileSync(join(blkio, 'blkio.throttle.io_service_bytes_recursive'), 'Total 0\n');
    writeFileSync(join(blkio, 'blkio.bfq.io_service_bytes_recursive'), '8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n');
    writeFileSync(join(blkio, 'blkio.bfq.io_service_bytes'), '8:0 Read 1\nTotal 1\n');
    using reader = openCgroupReader({ version: 1, dirs: { blkio, pids: blkio } }, { pageSizes: [] });
    expect(reader.read()?.io?.devices).toEqual([{ device: '8:0', bytes: { read: 4096n }, operations: {} }]);
  });
});
