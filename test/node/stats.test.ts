import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLimits } from '#cgroup/apply-limits.ts';
import { CgroupGroup } from '#cgroup/group.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Task } from '#task/task.ts';
import { cpuSeconds, kernelFile, keyed } from '../support/kernel-files.ts';
import { measuredNode, type Scrape } from '../support/metrics.ts';
import { eventually, makeTestNode, type TestNode } from '../support/node.ts';
import { spec } from '../support/runtime.ts';

let node: TestNode;
beforeEach(() => {
  node = makeTestNode();
});
afterEach(async () => {
  await node.clean();
});

const shell = (script: string) => ['/bin/sh', '-c', script];
const mebibyte = 1024 * 1024;

/** Works for a while, then keeps still, so that its numbers do. */
const workThenSleep = shell('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exec sleep 100000');

function limited(args: readonly string[], resources: object): Partial<RuntimeSpec> {
  const { linux } = spec(node, args);
  return { linux: { ...linux, resources } };
}

function value(scrape: Scrape, name: string, id: string, ...labels: string[]): number | undefined {
  return scrape.value(`runlet_task_${name}{${[`namespace="default",task="${id}"`, ...labels].join(',')}}`);
}

async function asleep(task: Task): Promise<void> {
  await eventually(
    () => readFileSync(`/proc/${task.pid}/cmdline`, 'utf8'),
    (line) => line.startsWith('sleep'),
    'the task sleeps',
  );
}

/** The files that this process has open whose paths have this in them. */
function openFilesOf(part: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.includes(part) ? [path] : [];
    } catch {
      return []; // the one by which they were listed
    }
  });
}

describe('the statistics of a task', () => {
  it('are what the kernel’s files say', async () => {
    const { version } = node.hierarchy;
    await using measured = await measuredNode(node, { profile: 'full' });
    const limits = { memory: { limit: 64 * mebibyte }, pids: { limit: 77 }, cpu: { quota: 150_000, period: 100_000 } };
    const task = await measured.run('calm', workThenSleep, limited(workThenSleep, limits));
    await asleep(task);
    await task.pause();
    // The kernel brings its counts up to date now and then, perhaps just between two readings.
    const { scrape, memory } = await eventually(
      async () => ({
        before: kernelFile(node, 'calm', ['memory', 'memory.stat'], 'memory.stat'),
        scrape: await measured.scrape(),
        memory: kernelFile(node, 'calm', ['memory', 'memory.stat'], 'memory.stat'),
      }),
      (read) => read.before === read.memory,
      'its memory is counted',
    );
    const seconds = cpuSeconds(node, 'calm');
    expect(value(scrape, 'cpu_usage_seconds_total', 'calm')).toBe(seconds);
    expect(seconds).toBeGreaterThan(0);
    expect(value(scrape, 'cpu_limit_cores', 'calm')).toBe(1.5);
    const peak = kernelFile(node, 'calm', ['memory', 'memory.max_usage_in_bytes'], 'memory.peak');
    expect(value(scrape, 'memory_peak_bytes', 'calm')).toBe(Number(peak));
    expect(value(scrape, 'memory_limit_bytes', 'calm')).toBe(64 * mebibyte);
    expect(value(scrape, 'memory_bytes', 'calm', 'kind="anon"')).toBe(
      keyed(memory, version === 1 ? 'total_rss' : 'anon'),
    );
    expect(value(scrape, 'memory_page_faults_total', 'calm', 'kind="minor"')).toBe(
      keyed(memory, version === 1 ? 'total_pgfault' : 'pgfault'),
    );
    expect(value(scrape, 'pids', 'calm')).toBe(1);
    expect(value(scrape, 'pids_limit', 'calm')).toBe(77);
    expect(value(scrape, 'frozen', 'calm')).toBe(1);
    expect(value(scrape, 'state', 'calm', 'state="paused"')).toBe(1);
    expect(openFilesOf('/default/calm/').length).toBeGreaterThan(15);
  });

  it('show new limits at the next scrape', async () => {
    await using measured = await measuredNode(node);
    const args = ['/bin/sleep', '100000'];
    const task = await measured.run('calm', args, limited(args, { memory: { limit: 64 * mebibyte } }));
    expect(value(await measured.scrape(), 'cpu_limit_cores', 'calm')).toBe(Infinity);
    await task.update({
      memory: { limit: 96 * mebibyte },
      cpu: { quota: 25_000, period: 100_000 },
      pids: { limit: 5 },
    });
    const scrape = await measured.scrape();
    expect(value(scrape, 'memory_limit_bytes', 'calm')).toBe(96 * mebibyte);
    expect(value(scrape, 'cpu_limit_cores', 'calm')).toBe(0.25);
    expect(value(scrape, 'pids_limit', 'calm')).toBe(5);
  });

  it('count how often and how long it is throttled', async () => {
    await using measured = await measuredNode(node);
    const args = shell('while :; do :; done');
    const task = await measured.run('busy', args, limited(args, { cpu: { quota: 10_000, period: 100_000 } }));
    await eventually(
      () => task.stats()?.cpu?.throttledPeriods ?? 0n,
      (periods) => periods >= 3n,
      'the task is throttled',
    );
    const scrape = await measured.scrape();
    expect(value(scrape, 'cpu_cfs_throttled_periods_total', 'busy')).toBeGreaterThanOrEqual(3);
    expect(value(scrape, 'cpu_cfs_throttled_seconds_total', 'busy')).toBeGreaterThan(0);
    await task.kill(9);
    expect((await task.wait()).final).toMatchObject({ throttledUsec: expect.any(BigInt) });
  });

  it('have the network of a task that has one of its own, and not that of the machine', async () => {
    await using measured = await measuredNode(node);
    const args = shell('ip link set lo up && ping -q -c 3 -s 1000 127.0.0.1 && exec sleep 100000');
    const capabilities = ['CAP_NET_ADMIN', 'CAP_NET_RAW'];
    const base = spec(node, args);
    const all = { bounding: capabilities, effective: capabilities, permitted: capabilities };
    const own = await measured.run('own', args, {
      process: { ...base.process, cwd: '/', args, capabilities: all },
    });
    await asleep(own);
    const calm = ['/bin/sleep', '100000'];
    const namespaces = (['pid', 'mount', 'ipc', 'uts'] as const).map((type) => ({ type }));
    await measured.run('shared', calm, { linux: { namespaces } });
    const scrape = await measured.scrape();
    const received = value(scrape, 'network_bytes_total', 'own', 'interface="lo"', 'direction="receive"');
    // Three requests and three answers of 1000 bytes, 8 of ICMP and 20 of IP; a ping may find more to say.
    expect(received).toBeGreaterThanOrEqual(6 * 1028);
    expect(value(scrape, 'network_bytes_total', 'own', 'interface="lo"', 'direction="transmit"')).toBe(received);
    expect(scrape.family('runlet_task_network_bytes_total').filter((each) => each.includes('task="shared"'))).toEqual(
      [],
    );
  });
});

describe('the budget of a node', () => {
  it('is what the cgroup of all tasks may use, and what they use together', async () => {
    await using measured = await measuredNode(node);
    const group = new CgroupGroup(node.hierarchy, node.cgroupParent);
    const args = ['/bin/sleep', '100000'];
    for (const id of ['one', 'two']) await measured.run(id, args);
    const failures = applyLimits(group, {
      memory: { limit: 512 * mebibyte },
      cpu: { shares: 2048 },
      pids: { limit: 77 },
    });
    expect(failures).toEqual([]);
    const scrape = await measured.scrape();
    const told = (name: string) => scrape.value(`runlet_node_budget_${name}`);
    expect(told('memory_limit_bytes')).toBe(512 * mebibyte);
    expect(told('pids_limit')).toBe(77);
    // Their monitors are there too.
    expect(told('pids')).toBe(Number(readFileSync(join(group.folder('pids') ?? '', 'pids.current'), 'utf8')));
    expect(told('pids')).toBeGreaterThanOrEqual(2);
    expect(told('cpu_shares') ?? told('cpu_weight')).toBe(node.hierarchy.version === 1 ? 2048 : 79);
    const each = ['one', 'two'].map((id) => value(scrape, 'cpu_usage_seconds_total', id) ?? Number.NaN);
    expect(told('cpu_usage_seconds_total')).toBeGreaterThanOrEqual(each.reduce((sum, one) => sum + one, 0));
    const memory = ['one', 'two'].map((id) => value(scrape, 'memory_usage_bytes', id) ?? Number.NaN);
    expect(told('memory_usage_bytes')).toBeGreaterThanOrEqual(Math.max(...memory));
  });
});

describe('the end of a task', () => {
  it('ends what came of its cgroup, keeps what is on record and closes every file', async () => {
    await using measured = await measuredNode(node);
    const task = await measured.run('gone', shell('read x; exit 3'));
    // Its stdin is empty, so it may have ended already.
    await measured.scrape();
    await task.wait();
    const scrape = await measured.scrape();
    const names = scrape.text
      .split('\n')
      .filter((line) => line.includes('task="gone"'))
      .map((line) => line.slice(0, line.indexOf('{')));
    expect([...new Set(names)].toSorted()).toEqual([
      'runlet_task_info',
      'runlet_task_last_exit_status',
      'runlet_task_restarts_total',
      'runlet_task_start_time_seconds',
      'runlet_task_state',
    ]);
    expect(value(scrape, 'last_exit_status', 'gone')).toBe(3);
    expect(openFilesOf('/default/gone/')).toEqual([]);
  });

  it('of one that is shorter than any scrape is counted with what it used', async () => {
    await using measured = await measuredNode(node);
    const task = await measured.run('short', shell('i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 0'));
    const { final } = await task.wait();
    await measured.manager.delete(task.ref);
    const scrape = await measured.scrape();
    expect(scrape.value('runlet_finished_tasks_total{reason="Exited"}')).toBe(1);
    expect(scrape.value('runlet_finished_cpu_seconds_total')).toBe(Number(final?.cpuUsageUsec) / 1e6);
    expect(Number(final?.cpuUsageUsec)).toBeGreaterThan(10_000);
  });

  it('by the kernel for want of memory is counted, with the most that it used', async () => {
    await using measured = await measuredNode(node);
    const args = shell('dd if=/dev/zero of=/dev/null bs=128M count=1');
    const limit = 24 * mebibyte;
    const task = await measured.run('greedy', args, limited(args, { memory: { limit, swap: limit } }));
    const exit = await task.wait();
    expect(exit).toMatchObject({ status: 137, reason: 'OOMKilled' });
    expect(Number(exit.final?.peakMemoryBytes)).toBeGreaterThan(limit / 2);
    expect(Number(exit.final?.peakMemoryBytes)).toBeLessThanOrEqual(limit);
    const scrape = await measured.scrape();
    expect(scrape.value('runlet_finished_tasks_total{reason="OOMKilled"}')).toBe(1);
    expect(scrape.value('runlet_finished_oom_kills_total')).toBe(Number(exit.final?.oomKills));
  });
});
