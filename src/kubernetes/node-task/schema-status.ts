import * as z from 'zod';
import { list, openEnum, quantities, quantity, text, time } from './fields.ts';

/** A task's state for people; programs read conditions. */
export type TaskState = 'Pending' | 'Created' | 'Running' | 'Pausing' | 'Paused' | 'Stopped';

export type ConditionType = 'Ready' | 'Succeeded' | 'ImageAvailable' | 'ResourcesApplied' | 'Stalled';

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const exitStatus = z.int().min(0).max(255);

/** One of `status.conditions`, by Kubernetes' conventions: a map list by type. */
export const conditionSchema = z.strictObject({
  type: openEnum<ConditionType>().describe('Ready, Succeeded, ImageAvailable, ResourcesApplied or Stalled.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  reason: text(128).min(1).describe('Why, in one CamelCase word for programs.'),
  message: text(4096).describe('One sentence that says what to do.'),
  observedGeneration: count.exactOptional().describe('The metadata.generation that this was said about.'),
  lastTransitionTime: time.describe('When status changed last.'),
});

const terminationSchema = z.strictObject({
  exitStatus: exitStatus.describe('0 to 255; 128+n when signal n ended it; 255 when nobody saw its end.'),
  signal: z.int().min(1).max(64).exactOptional().describe('The signal that ended it.'),
  reason: text(128).describe('Completed, Error, OOMKilled, DeadlineExceeded, Lost, Checkpointed or Stopped.'),
  message: text(4096).exactOptional().describe('More about it.'),
  startedAt: time.exactOptional().describe('When that run began.'),
  finishedAt: time.exactOptional().describe('When it ended.'),
  peakMemoryBytes: count.exactOptional().describe('The most memory that it used.'),
  cpuMilliseconds: count.exactOptional().describe('Processor time that it used.'),
  throttledMilliseconds: count.exactOptional().describe('Time that its CPU limit held it back.'),
  oomKills: count.exactOptional().describe('Processes that the kernel killed for want of memory.'),
});

const appliedSchema = z.strictObject({
  limits: quantities.exactOptional().describe('Limits as the kernel has them; absent is unlimited.'),
  requests: quantities.exactOptional().describe('Requests as the kernel has them.'),
  memoryHigh: quantity.exactOptional().describe('memory.high.'),
  memorySwap: quantity.exactOptional().describe('Swap limit.'),
  cpuset: z
    .strictObject({
      cpus: text(1024).exactOptional().describe('Processors.'),
      mems: text(1024).exactOptional().describe('Memory nodes.'),
    })
    .exactOptional()
    .describe('Where it may run.'),
  io: z
    .strictObject({ weight: count.exactOptional().describe('Share of a busy disk.') })
    .exactOptional()
    .describe('Disk input and output.'),
});

/** `status`: written by the agent only. */
export const statusSchema = z.strictObject({
  observedGeneration: count.exactOptional().describe('The metadata.generation last acted on.'),
  state: openEnum<TaskState>()
    .exactOptional()
    .describe('Pending, Created, Running, Pausing, Paused or Stopped; for people.'),
  pid: count.exactOptional().describe('Process id on the node, while there is a process.'),
  restartCount: count.exactOptional().describe('Starts of this object minus one, whatever the reason; never reset.'),
  startedAt: time.exactOptional().describe('When the current or last run began.'),
  exitStatus: exitStatus.exactOptional().describe('In state Stopped: how it ended; 128+n when signal n ended it.'),
  finishedAt: time.exactOptional().describe('In state Stopped: when it ended.'),
  imageID: text(512).exactOptional().describe('Digest of the image’s configuration.'),
  containerID: text(512).exactOptional().describe('runlet://<containerd namespace>/<id>.'),
  resources: appliedSchema.exactOptional().describe('Resources as the kernel has them now.'),
  lastTermination: terminationSchema.exactOptional().describe('How the run before the current one ended.'),
  restartedAt: text(64).exactOptional().describe('Value of the annotation runlet.dev/restartedAt last acted on.'),
  conditions: list(conditionSchema, 16)
    .exactOptional()
    .meta({
      description: 'What holds now.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
});
