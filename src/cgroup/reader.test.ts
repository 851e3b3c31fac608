import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptFiles } from '#host/kept-files.ts';
import { openCgroupReader } from './reader.ts';
import type { TaskStats } from './stats.ts';

const fixtures = join(import.meta.dirname, '../../test/fixtures/cgroup-v2');
const v1Fixtures = join(import.meta.dirname, '../../test/fixtures/cgroup-v1');

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

function worthKeeping({ cpu, memory }: TaskStats) {
  return [cpu?.usageUsec, cpu?.throttledUsec, memory?.peakBytes, memory?.oomKills];
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

function v1Folders(name: string): Readonly<Record<string, string>> {
  const controllers = ['cpu', 'cpuacct', 'memory', 'blkio', 'pids', 'freezer', 'unified'];
  return Object.fromEntries(controllers.map((controller) => [controller, join(v1Fixtures, name, controller)]));
}

function v1File(name: string, path: string): string {
  return readFileSync(join(v1Fixtures, name, path), 'utf8');
}

function lineOf(text: string, name: string): bigint {
  return BigInt(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? -1);
}

describe('a reading of Linux 6.18’s files of cgroup v1', () => {
  it('has every number of a task at rest', () => {
    using reader = openCgroupReader({ version: 1, dirs: v1Folders('linux-6.18-calm') }, { pageSizes: ['2MB'] });
    const stats = reader.read('full');
    const memory = v1File('linux-6.18-calm', 'memory/memory.stat');
    const usageBytes = BigInt(v1File('linux-6.18-calm', 'memory/memory.usage_in_bytes'));
    expect(stats).toMatchObject({
      version: 1,
      cpu: {
        usageUsec: BigInt(v1File('linux-6.18-calm', 'cpuacct/cpuacct.usage')) / 1000n,
        userUsec: BigInt(v1File('linux-6.18-calm', 'cpuacct/cpuacct.usage_user')) / 1000n,
        systemUsec: BigInt(v1File('linux-6.18-calm', 'cpuacct/cpuacct.usage_sys')) / 1000n,
        ...{ quotaUsec: 50_000n, periodUsec: 100_000n, throttledPeriods: 0n, shares: 1024n, burstPeriods: 0n },
      },
      memory: {
        usageBytes,
        workingSetBytes: usageBytes - lineOf(memory, 'total_inactive_file'),
        limitBytes: 67_108_864n,
        swapLimitBytes: 'unlimited',
        ...{ swapBytes: 0n, oomKills: 0n, limitHits: 0n, lowBytes: 'unlimited' },
        kinds: { anon: lineOf(memory, 'total_rss'), file: lineOf(memory, 'total_cache'), sock: 0n },
        faults: { minor: lineOf(memory, 'total_pgfault'), major: 0n },
        stat: { active_anon: lineOf(memory, 'total_active_anon') },
      },
      pids: { current: 1n, limit: 50n, limitHits: 0n },
      io: { devices: [] },
      group: { frozen: true },
    });
    expect(stats?.memory?.stat).not.toHaveProperty('hierarchical_memory_limit');
    expect(stats?.memory?.kinds?.kernel).toBeGreaterThan(0n);
    expect(stats?.cpu?.perCpuUsec).toHaveLength(2);
    expect(stats?.pressure?.cpu?.waitingUsec).toBeGreaterThan(0n);
    expect([stats?.pressure?.irq, stats?.hugetlb, stats?.network]).toEqual([undefined, undefined, undefined]);
  });

  it('has for containerd’s clients what their message has, and no more', () => {
    using reader = openCgroupReader({ version: 1, dirs: v1Folders('linux-6.18-calm') }, { pageSizes: [] });
    const stats = reader.read('message');
    expect(stats?.cpu?.perCpuUsec).toHaveLength(2);
    expect(stats?.memory).toMatchObject({ limitHits: 0n, swapLimitBytes: 'unlimited', stat: undefined });
    expect(stats?.group).toBeUndefined();
    expect(reader.read('standard')?.cpu?.perCpuUsec).toBeUndefined();
  });

  it('has how often and how long a task was throttled', () => {
    using reader = openCgroupReader({ version: 1, dirs: v1Folders('linux-6.18-throttled') }, { pageSizes: [] });
    const stat = v1File('linux-6.18-throttled', 'cpu/cpu.stat');
    const cpu = reader.read('basic')?.cpu;
    expect(cpu?.throttledPeriods).toBeGreaterThan(0n);
    expect(cpu).toMatchObject({
      ...{ periods: lineOf(stat, 'nr_periods'), throttledPeriods: lineOf(stat, 'nr_throttled'), quotaUsec: 10_000n },
      throttledUsec: lineOf(stat, 'throttled_time') / 1000n,
    });
  });

  it('has the disk that a task used', () => {
    using reader = openCgroupReader({ version: 1, dirs: v1Folders('linux-6.18-disk') }, { pageSizes: [] });
    expect(reader.read()?.io?.devices).toEqual([
      {
        device: '254:0',
        bytes: { read: 4_194_304n, write: 4_194_304n, discard: 0n },
        operations: { read: 4n, write: 4n, discard: 0n },
      },
    ]);
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

  it('reads of an end what is kept of it, and no more', () => {
    const dirs = captured('linux-6.1-throttled');
    using whole = openCgroupReader({ version: 2, dirs }, { pageSizes: [] });
    using last = openCgroupReader({ version: 2, dirs }, { pageSizes: [], last: true });
    const [all, kept] = [whole.read(), last.read()];
    expect(knownParts(kept)).toEqual(['version', 'cpu', 'memory', 'pressure']);
    expect(kept?.pressure).toEqual(all?.pressure);
    expect(kept && worthKeeping(kept)).toEqual(all && worthKeeping(all));
    expect(kept?.memory?.workingSetBytes).toBeUndefined();
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
