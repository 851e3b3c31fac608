import * as z from 'zod';
import { list, openEnum, text, time } from '#kubernetes/node-task/fields.ts';

/** How far a request has come, for people; programs read conditions. */
export type OneShotState = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

/** `Finished` is True also when the outcome is unknown; `Available` says whether a checkpoint's data is there. */
export type OneShotConditionType = 'Finished' | 'Succeeded' | 'Available';

/** Bytes of captured output in a status, both streams together. */
export const maxCapturedBytes = 32_768;

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const conditionSchema = z.strictObject({
  type: openEnum<OneShotConditionType>().describe('Finished, Succeeded or, of a checkpoint, Available.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  reason: text(128).min(1).describe('Why, in one CamelCase word for programs.'),
  message: text(4096).describe('One sentence that says what to do.'),
  observedGeneration: count.exactOptional().describe('The metadata.generation that this was said about.'),
  lastTransitionTime: time.describe('When status changed last.'),
});

/** What is said of every request, whatever it asks for. */
export const requestStatusFields = {
  observedGeneration: count.exactOptional().describe('The metadata.generation last acted on.'),
  state: openEnum<OneShotState>()
    .exactOptional()
    .describe('Pending, Running, Succeeded, Failed or Unknown; for people.'),
  reason: text(128).exactOptional().describe('Why, in one CamelCase word.'),
  message: text(4096).exactOptional().describe('One sentence about it.'),
  taskUID: text(128).exactOptional().describe('metadata.uid of the NodeTask acted on.'),
  startedAt: time.exactOptional().describe('When it was begun.'),
  finishedAt: time.exactOptional().describe('When it ended.'),
  conditions: list(conditionSchema, 16)
    .exactOptional()
    .meta({
      description: 'What holds now.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
} as const;

/** `status` of a NodeTaskExec. */
export const execStatusSchema = z.strictObject({
  ...requestStatusFields,
  exitStatus: z.int().min(0).max(255).exactOptional().describe('How the program ended; 128+n when signal n ended it.'),
  stdout: text(maxCapturedBytes)
    .exactOptional()
    .describe('The beginning and end of its output; bytes that are no UTF-8 stand as U+FFFD.'),
  stderr: text(maxCapturedBytes).exactOptional().describe('The beginning and end of its error output.'),
  truncated: z.boolean().exactOptional().describe('Whether output was left out.'),
});

/** `status` of a NodeTaskSignal. */
export const signalStatusSchema = z.strictObject({
  ...requestStatusFields,
  delivered: count.exactOptional().describe('Processes that the signal was sent to.'),
});

/** `status` of a NodeTaskCheckpoint. */
export const checkpointStatusSchema = z.strictObject({
  ...requestStatusFields,
  path: text(4096).exactOptional().describe('Folder of the data, relative to the agent’s root.'),
  sizeBytes: count.exactOptional().describe('Bytes that it takes on the disk.'),
  frozenMilliseconds: count.exactOptional().describe('How long the task stood still.'),
  imageID: text(512).exactOptional().describe('Digest of the configuration of the task’s image.'),
});

export type OneShotCondition = z.output<typeof conditionSchema>;
export type ExecStatus = z.output<typeof execStatusSchema>;
export type SignalStatus = z.output<typeof signalStatusSchema>;
export type CheckpointStatus = z.output<typeof checkpointStatusSchema>;
