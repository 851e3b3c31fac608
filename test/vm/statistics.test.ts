import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPrometheus } from '../support/prometheus.ts';
import { runGuest, type Report, type Watcher } from './support/machine.ts';

type Series = Readonly<Record<string, string>>;
type Usage = Readonly<Record<string, unknown>>;

/** A task's cgroup at rest: the kernel's files and what was exported of them. */
interface Measured {
  readonly files: Readonly<Record<string, string>>;
  readonly series: Series;
  /** The files once more, read after the series. */
  readonly after?: Readonly<Record<string, string>>;
}

let report: Report;
/** What a Prometheus of the host had of the guest while its tasks were at work. */
const watched = new Map<string, number>();
beforeAll(async () => {
  const kernel = execFileSync('sh', ['scripts/vm-kernel.sh'], { encoding: 'utf8' }).trim();
  report = await runGuest(kernel, watch);
  const failures = [...report].filter(([name]) => name.endsWith(' failed') || name === 'log');
  if (failures.length > 0) throw new Error(`cases failed in the machine: ${JSON.stringify(failures)}`);
  if (process.env['CAPTURE_FIXTURES']) captureFixtures();
  // The kernel is taken from the archive once, which may take a minute; emulated, a run takes one, on a busy machine some.
}, 540_000);

const watch: Watcher = async ({ target, folder }) => {
  const file = (name: string) => join(folder, name);
  await using prometheus = await startPrometheus({
    ...{ folder: file('prometheus'), target, intervalSeconds: 2 },
    scrape: {
      scheme: 'https',
      tls_config: { ca_file: file('servers.crt'), cert_file: file('prometheus.crt'), key_file: file('prometheus.key') },
    },
  });
  const keep = async (query: string, good?: (value: number) => boolean) =>
    void watched.set(query, await prometheus.value(query, good));
  await keep('up', (up) => up === 1);
  await keep(`count_over_time(${usageOf('going-on')}[30s])`, (count) => count >= 6);
  for (const query of [...exact, ...rates]) await keep(query);
};

const seen = (query: string) => watched.get(query) ?? Number.NaN;
const own = (task: string) => `namespace="default",task="${task}"`;
const usageOf = (task: string) => `runlet_task_cpu_usage_seconds_total{${own(task)}}`;
const diskBytes = (op: string) => `runlet_task_io_bytes_total{${own('disk')},device="vda",op="${op}"}`;

/** Of tasks that are at rest, and of what has ended. */
const exact = [
  usageOf('calm'),
  `runlet_task_memory_limit_bytes{${own('calm')}}`,
  `runlet_task_pids_limit{${own('calm')}}`,
  diskBytes('read'),
  diskBytes('write'),
  'runlet_finished_tasks_total{reason="OOMKilled"}',
  'runlet_finished_oom_kills_total',
];

/** Of the task that may use a tenth of a processor and wants a whole one. */
const rates = [
  `rate(${usageOf('going-on')}[30s])`,
  `rate(runlet_task_cpu_cfs_throttled_periods_total{${own('going-on')}}[30s])`,
  `rate(runlet_task_pressure_seconds_total{${own('going-on')},resource="cpu",kind="waiting"}[30s])`,
];

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

  it('the client shows what the kernel says', () => {
    const { files, usage } = report.get('statistics') as Measured & { readonly usage: readonly Usage[] };
    expect(usage).toHaveLength(1);
    expect(usage[0]).toMatchObject({
      ...{ namespace: 'default', id: 'calm', cpuSeconds: seconds(keyed(files['cpu.stat'], 'usage_usec')) },
      ...{ pids: 1, pidsLimit: 50, memoryLimitBytes: 64 * 1024 * 1024, cpuLimitCores: 0.5 },
    });
  });

  it('a pause freezes the cgroup and a resume thaws it', () => {
    expect(report.get('pause')).toEqual({
      frozen: ['populated 1\nfrozen 1\n', '0', '1', '1'],
      thawed: ['populated 1\nfrozen 0\n', '1', '0', '0'],
    });
  });

  it('a task goes on while its agent is killed, and another agent has its numbers', () => {
    const { before, after } = report.get('taken over') as Record<
      'before' | 'after',
      { pids: readonly number[]; series: Series }
    >;
    expect(after.pids).toEqual(before.pids);
    expect(after.pids).toHaveLength(1);
    expect(Object.keys(after.series).toSorted()).toEqual(Object.keys(before.series).toSorted());
    for (const name of ['memory_limit_bytes', 'cpu_limit_cores', 'pids_limit', 'pids']) {
      expect(after.series[`runlet_task_${name}`], name).toBe(before.series[`runlet_task_${name}`]);
    }
    const grown = (name: string) => Number(after.series[name]) - Number(before.series[name]);
    expect(grown('runlet_task_cpu_usage_seconds_total')).toBeGreaterThanOrEqual(0);
    // The second agent has it from the kernel, which counts in hundredths.
    expect(Math.abs(grown('runlet_task_start_time_seconds'))).toBeLessThan(1);
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
    const exit = report.get('throttling exit') as { throttledUsec: number };
    expect(exit).toMatchObject({ status: 137, pressure: { cpu: { waitingUsec: expect.any(Number) } } });
    expect(exit.throttledUsec).toBeGreaterThanOrEqual(keyed(files['cpu.stat'], 'throttled_usec'));
  });

  it('a task that wants more memory than it may have is killed, named and counted', () => {
    const { status, exit, counted, finished, series } = report.get('out of memory') as {
      status: number;
      exit: Record<string, number>;
      counted: number | null;
      finished: string[];
      series: Series;
    };
    // That of the client, and what it shows of the task afterwards: its final sample.
    expect(status).toBe(137);
    expect(exit).toMatchObject({ status: 137, reason: 'OOMKilled' });
    expect(exit['oomKills']).toBeGreaterThanOrEqual(1);
    expect(exit['peakMemoryBytes']).toBeGreaterThan(16 * 1024 * 1024);
    expect(exit['peakMemoryBytes']).toBeLessThanOrEqual(32 * 1024 * 1024);
    expect(exit['cpuUsageUsec']).toBeGreaterThan(0);
    // What comes of its cgroup has ended with it.
    expect(counted).toBeNull();
    expect(finished).toContain(`runlet_finished_oom_kills_total ${exit['oomKills']}`);
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

  it('a Prometheus that scrapes the machine has the same numbers', () => {
    const files = report.get('watched') as Readonly<Record<string, Readonly<Record<string, string>>>>;
    const io = files['disk']?.['io.stat'];
    expect(seen('up')).toBe(1);
    expect(seen(usageOf('calm'))).toBe(seconds(keyed(files['calm']?.['cpu.stat'], 'usage_usec')));
    expect(seen(`runlet_task_memory_limit_bytes{${own('calm')}}`)).toBe(96 * 1024 * 1024);
    expect(seen(`runlet_task_pids_limit{${own('calm')}}`)).toBe(60);
    expect(io).toContain(` rbytes=${seen(diskBytes('read'))} wbytes=${seen(diskBytes('write'))} `);
    expect(seen(diskBytes('write'))).toBe(4 * 1024 * 1024);
    expect(seen('runlet_finished_tasks_total{reason="OOMKilled"}')).toBe(1);
    expect(seen('runlet_finished_oom_kills_total')).toBeGreaterThanOrEqual(1);
    const [used, throttled, waited] = rates.map(seen);
    // A tenth of a processor; a scrape that comes late gives some play.
    expect(used).toBeGreaterThan(0.03);
    expect(used).toBeLessThan(0.3);
    // Ten periods a second, nearly all of which it uses up.
    expect(throttled).toBeGreaterThan(2);
    expect(waited).toBeGreaterThan(0);
  });

  it('nothing is left open or behind', () => {
    const { counted, tasks, open } = report.get('finished') as Record<string, unknown>;
    expect(tasks).toEqual([]);
    expect(open).toEqual([]);
    expect(counted).toContain('runlet_finished_tasks_total{reason="OOMKilled"} 1');
    expect(report.get('agent')).toEqual({ status: 0, errors: [] });
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
