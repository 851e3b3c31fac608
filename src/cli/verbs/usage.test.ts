import { describe, expect, it } from 'vitest';
import type { TaskUsage } from '#api/gen/runlet/v1/runlet.ts';
import { formatTable } from '../output/table.ts';
import { toUsage, usageColumns, usageJson } from './usage.ts';

const web = { namespace: 'default', id: 'web' };

/** Two readings of a task two seconds apart. */
function between(from: Partial<TaskUsage>, to: Partial<TaskUsage>) {
  return toUsage(
    { monotonicMs: 1000, tasks: [{ ...web, ...from }] },
    { monotonicMs: 3000, tasks: [{ ...web, ...to }] },
  );
}

describe('what a task uses between two readings', () => {
  it('is told a second, or as a share of the time', () => {
    const from = { cpuUsec: 0n, cpuPeriods: 10n, throttledPeriods: 1n, ioReadBytes: 0n, networkSentBytes: 4096n };
    const to = {
      cpuUsec: 500_000n,
      cpuPeriods: 30n,
      throttledPeriods: 6n,
      ioReadBytes: 8192n,
      networkSentBytes: 4096n,
    };
    const [usage] = between({ ...from, ioPressureUsec: 0n }, { ...to, ioPressureUsec: 1_000_000n });
    expect(usage?.rates).toEqual({
      ...{ cores: 0.25, throttled: 0.25, ioRead: 4096, networkSent: 0, ioPressure: 0.5 },
    });
  });

  it('is not known of a counter that began anew, nor of a task that is new', () => {
    expect(between({ cpuUsec: 5n }, { cpuUsec: 4n })[0]?.rates?.cores).toBeUndefined();
    expect(toUsage({ monotonicMs: 0, tasks: [] }, { monotonicMs: 1, tasks: [web] })[0]?.rates).toBeUndefined();
    expect(toUsage(undefined, { monotonicMs: 1, tasks: [web] })[0]?.rates).toBeUndefined();
  });
});

describe('the wide table', () => {
  it('has what the dashboard has', () => {
    const usage = between(
      { cpuPeriods: 0n, throttledPeriods: 0n, ioWrittenBytes: 0n, ioOperations: 0n, memoryPressureUsec: 0n },
      { cpuPeriods: 8n, throttledPeriods: 2n, ioWrittenBytes: 4_194_304n, ioOperations: 9n, memoryPressureUsec: 2000n },
    );
    const [head = '', row = ''] = formatTable(usageColumns({ namespace: false, wide: true }), usage).split('\n');
    const cells = Object.fromEntries(
      head.split(/ +/).map((heading, column) => [heading, row.split(/ +/)[column]] as const),
    );
    expect(cells).toMatchObject({
      ...{ ID: 'web', 'THROTTLED%': '25.0', 'WRITE/S': '2MiB', 'IO/S': '5', 'WAIT-MEM%': '0.1', 'NET-IN/S': '-' },
    });
  });
});

describe('the JSON of what a task uses', () => {
  it('is in base units and leaves out what is not known', () => {
    const usage = { ...web, cpuPressureUsec: 1_500_000n, networkSentBytes: 7n, memorySwapBytes: 0n };
    expect(usageJson(usage)).toEqual({
      ...{ ...web, cpuPressureSeconds: 1.5, networkSentBytes: 7, memorySwapBytes: 0 },
    });
  });
});
