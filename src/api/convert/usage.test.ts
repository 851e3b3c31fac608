import { expect, it } from 'vitest';
import { createTask, recoveredNode } from '../../../test/support/tasks.ts';
import { toUsage } from './usage.ts';

it('adds up devices and interfaces, and has no zero for what the kernel does not count', async () => {
  const node = await recoveredNode();
  const counts = { bytes: 7n, packets: 1n, errors: 0n, dropped: 0n };
  node.runtime.stats = {
    version: 2,
    cpu: { usageUsec: 5n, quotaUsec: 50_000n, periodUsec: 100_000n },
    memory: { usageBytes: 4096n, limitBytes: 'unlimited' },
    io: {
      devices: [
        { device: '8:0', bytes: { read: 1n, write: 2n }, operations: { read: 1n, write: 1n } },
        { device: '8:16', bytes: { read: 10n }, operations: { read: 5n } },
      ],
    },
    network: [
      { name: 'lo', receive: { ...counts, bytes: 1000n }, transmit: counts },
      { name: 'eth0', receive: counts, transmit: { ...counts, bytes: 9n } },
    ],
    pressure: { io: { waitingUsec: 3n } },
  };
  const task = await node.manager.create(createTask('web'));
  expect(toUsage(task)).toMatchObject({
    cpuUsec: 5n,
    cpuLimitCores: 0.5,
    memoryLimitBytes: undefined,
    memoryPeakBytes: undefined,
    ioReadBytes: 11n,
    ioWrittenBytes: 2n,
    ioOperations: 7n,
    networkReceivedBytes: 7n,
    networkSentBytes: 9n,
    ioPressureUsec: 3n,
    cpuPressureUsec: undefined,
    pids: undefined,
  });
  node.runtime.end(task.ref);
  expect(toUsage(task)).toBeUndefined();
});
