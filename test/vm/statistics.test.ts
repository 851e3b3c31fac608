import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runGuest, type Report } from './support/machine.ts';

/** A task's cgroup at rest: the kernel's files and what was exported of them. */
interface Measured {
  readonly files: Readonly<Record<string, string>>;
  readonly series: Readonly<Record<string, string>>;
  /** The files once more, read after the series. */
  readonly after?: Readonly<Record<string, string>>;
}

let report: Report;
beforeAll(async () => {
  const kernel = execFileSync('sh', ['scripts/vm-kernel.sh'], { encoding: 'utf8' }).trim();
  report = await runGuest(kernel);
  const failures = [...report].filter(([name]) => name.endsWith(' failed'));
  if (failures.length > 0) throw new Error(`cases failed in the machine: ${JSON.stringify(failures)}`);
  if (process.env['CAPTURE_FIXTURES']) captureFixtures();
  // The kernel is taken from the archive once, which may take a minute; emulated, a run takes one, on a busy machine some.
}, 420_000);

function measured(name: string): Measured {
  return report.get(name) as Measured;
}

/** The number behind a key of a flat keyed file. */
function keyed(text: string | undefined, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text ?? '')?.[1]);
}

function seconds(usec: number): number {
  return usec / 1_000_000;
}

function total(text: string | undefined, line: 'some' | 'full'): number {
  return Number(new RegExp(`^${line} .*total=(\\d+)$`, 'm').exec(text ?? '')?.[1]);
}

describe('on the unified hierarchy', () => {
  it('what is exported is what the kernel says', () => {
    const { files, series, after = {} } = measured('statistics');
    const value = (name: string) => Number(series[`runlet_task_${name}`]);
    expect(value('cpu_usage_seconds_total')).toBe(seconds(keyed(files['cpu.stat'], 'usage_usec')));
    expect(value('cpu_usage_seconds_total')).toBeGreaterThan(0.05);
    expect(value('cpu_seconds_total{mode="user"}')).toBe(seconds(keyed(files['cpu.stat'], 'user_usec')));
    expect(value('cpu_seconds_total{mode="system"}')).toBe(seconds(keyed(files['cpu.stat'], 'system_usec')));
    // The clock of the quota goes on for a while when nothing runs any more.
    expect(value('cpu_cfs_periods_total')).toBeGreaterThanOrEqual(keyed(files['cpu.stat'], 'nr_periods'));
    expect(value('cpu_cfs_periods_total')).toBeLessThanOrEqual(keyed(after['cpu.stat'], 'nr_periods'));
    expect(value('cpu_limit_cores')).toBe(0.5);
    expect(value('memory_usage_bytes')).toBe(Number(files['memory.current']));
    expect(value('memory_peak_bytes')).toBe(Number(files['memory.peak']));
    expect(value('memory_limit_bytes')).toBe(64 * 1024 * 1024);
    expect(value('memory_bytes{kind="anon"}')).toBe(keyed(files['memory.stat'], 'anon'));
    expect(value('memory_bytes{kind="slab"}')).toBe(keyed(files['memory.stat'], 'slab'));
    expect(value('memory_page_faults_total{kind="minor"}')).toBe(keyed(files['memory.stat'], 'pgfault'));
    expect(value('pids')).toBe(1);
    expect(value('pids_limit')).toBe(50);
    expect(value('hugetlb_usage_bytes{pagesize="2MB"}')).toBe(Number(files['hugetlb.2MB.current']));
    expect(value('pressure_seconds_total{resource="cpu",kind="waiting"}')).toBe(
      seconds(total(files['cpu.pressure'], 'some')),
    );
    expect(value('pressure_seconds_total{resource="cpu",kind="stalled"}')).toBe(
      seconds(total(files['cpu.pressure'], 'full')),
    );
    expect(series['runlet_task_memory_high_bytes']).toBe('+Inf');
    expect(value('network_bytes_total{interface="lo",direction="receive"}')).toBe(0);
    expect(Object.keys(series).filter((name) => name.includes('_limit_hits_total') && name.includes('memory'))).toEqual(
      [],
    );
  });

  it('a pause freezes the cgroup and a resume thaws it', () => {
    expect(report.get('pause')).toEqual({
      frozen: ['populated 1\nfrozen 1\n', { populated: true, frozen: true }],
      thawed: ['populated 1\nfrozen 0\n', { populated: true, frozen: false }],
    });
  });

  it('an update writes the kernel’s limits, and the next scrape shows them', () => {
    const { files, series } = measured('update');
    expect(files).toMatchObject({
      'memory.max': `${96 * 1024 * 1024}\n`,
      'cpu.max': '25000 100000\n',
      'pids.max': '60\n',
    });
    expect(series).toMatchObject({
      runlet_task_memory_limit_bytes: String(96 * 1024 * 1024),
      runlet_task_cpu_limit_cores: '0.25',
      runlet_task_pids_limit: '60',
    });
  });

  it('throttling is counted, and stays in the exit', () => {
    const { files, series } = measured('throttling');
    expect(Number(series['runlet_task_cpu_cfs_throttled_periods_total'])).toBeGreaterThanOrEqual(
      keyed(files['cpu.stat'], 'nr_throttled'),
    );
    expect(Number(series['runlet_task_cpu_cfs_throttled_periods_total'])).toBeGreaterThanOrEqual(5);
    expect(report.get('throttling exit')).toMatchObject({
      status: 137,
      final: { throttledUsec: expect.any(Number), pressure: { cpu: { waitingUsec: expect.any(Number) } } },
    });
    const { final } = report.get('throttling exit') as { final: { throttledUsec: number } };
    expect(final.throttledUsec).toBeGreaterThanOrEqual(keyed(files['cpu.stat'], 'throttled_usec'));
  });

  it('a task that wants more memory than it may have is killed, named and counted', () => {
    const { exit, counted, finished, series } = report.get('out of memory') as {
      exit: { status: number; reason: string; final: Record<string, number> };
      counted: number;
      finished: string[];
      series: Record<string, string>;
    };
    expect(exit).toMatchObject({ status: 137, reason: 'OOMKilled' });
    expect(exit.final['oomKills']).toBeGreaterThanOrEqual(1);
    expect(exit.final['peakMemoryBytes']).toBeGreaterThan(16 * 1024 * 1024);
    expect(exit.final['peakMemoryBytes']).toBeLessThanOrEqual(32 * 1024 * 1024);
    expect(counted).toBeGreaterThanOrEqual(1);
    expect(finished).toContain('runlet_finished_tasks_total{reason="OOMKilled"} 1');
    expect(series['runlet_task_last_exit_status']).toBe('137');
    expect(Object.keys(series).filter((name) => name.startsWith('runlet_task_memory'))).toEqual([]);
  });

  it('what a task reads and writes on a disk is counted by device', () => {
    const { files, series } = measured('disk');
    const read = Number(series['runlet_task_io_bytes_total{device="vda",op="read"}']);
    const written = Number(series['runlet_task_io_bytes_total{device="vda",op="write"}']);
    expect(files['io.stat']).toContain(` rbytes=${read} wbytes=${written} `);
    expect(read).toBeGreaterThanOrEqual(8 * 1024 * 1024);
    expect(written).toBe(4 * 1024 * 1024);
    expect(Number(series['runlet_task_io_operations_total{device="vda",op="read"}'])).toBeGreaterThan(0);
  });

  it('nothing is left open or behind', () => {
    expect(report.get('files kept open')).toBe(0);
    expect(report.get('leftovers')).toEqual([]);
  });
});

/** Keeps the kernel's files of this run for the tests of the parsers. */
function captureFixtures(): void {
  for (const [name, folder] of [
    ['statistics', 'calm'],
    ['disk', 'disk'],
    ['throttling', 'throttled'],
  ] as const) {
    const target = join(import.meta.dirname, '../fixtures/cgroup-v2', `linux-6.1-${folder}`);
    mkdirSync(target, { recursive: true });
    for (const [file, text] of Object.entries(measured(name).files)) writeFileSync(join(target, file), text);
  }
}
