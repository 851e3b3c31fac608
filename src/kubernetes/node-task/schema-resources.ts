import * as z from 'zod';
import { list, pattern, quantities, quantity } from './fields.ts';

const cpuList = pattern(
  /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/,
  256,
  'be a list of numbers and ranges such as "0-3,8"',
);

/** Highest rate of a device: bytes or operations each second. */
const rate = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const ioDevice = z.strictObject({
  device: pattern(/^\d{1,4}:\d{1,7}$/, 12, 'be the numbers of a block device, MAJOR:MINOR, such as "8:0"').describe(
    'Major and minor number of a block device, as in the fifth column of `ls -l /dev/sda`.',
  ),
  readBytesPerSecond: rate.exactOptional().describe('Bytes read each second at most.'),
  writeBytesPerSecond: rate.exactOptional().describe('Bytes written each second at most.'),
  readOperationsPerSecond: rate.exactOptional().describe('Read operations each second at most.'),
  writeOperationsPerSecond: rate.exactOptional().describe('Write operations each second at most.'),
});

/** `spec.resources`: all of it may change while the task runs. */
export const resourcesSchema = z.strictObject({
  limits: quantities
    .exactOptional()
    .describe('At most this much: cpu, memory, pids, and hugepages-SIZE such as hugepages-2Mi. Absent is unlimited.'),
  requests: quantities
    .exactOptional()
    .describe('At least this much when others want it too: cpu (default its limit, else the lowest) and memory.'),
  memoryHigh: quantity
    .exactOptional()
    .describe('Memory above which the kernel slows the task down and reclaims instead of killing. cgroup v2 only.'),
  memorySwap: quantity
    .exactOptional()
    .describe('Swap that the task may use beside its memory limit. Absent with a memory limit: none.'),
  cpuset: z
    .strictObject({
      cpus: cpuList.exactOptional().describe('Processors that the task may run on.'),
      mems: cpuList.exactOptional().describe('Memory nodes that it may take memory from.'),
    })
    .exactOptional()
    .describe('Where the task may run.'),
  io: z
    .strictObject({
      weight: z
        .int()
        .min(1)
        .max(10_000)
        .exactOptional()
        .describe('Share of a busy disk, 1 to 10000; 100 is what everybody has. On cgroup v1 the highest is 1000.'),
      devices: list(ioDevice, 64).exactOptional().describe('Upper bounds for single devices.'),
    })
    .exactOptional()
    .describe('Disk input and output.'),
});
