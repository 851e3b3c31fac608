import * as z from 'zod';
import { absolutePath, list, objectName, pattern, taskName, text } from '#kubernetes/node-task/fields.ts';
import { checkpointStatusSchema, execStatusSchema, signalStatusSchema } from './schema-status.ts';

/** Seconds until a finished NodeTaskExec or NodeTaskSignal is deleted when it does not say: an hour. */
export const defaultTtlSeconds = 3600;

/** A week: longer than anybody waits for a task to come. */
const maxStartDeadlineSeconds = 604_800;
/** A year, the longest time that is asked for in seconds. */
const maxTtlSeconds = 31_536_000;
const maxExecTimeoutSeconds = 3600;

/** Lengths that let an API server compare two specs within the cost that it grants a rule. */
export const maxWords = 256;
export const maxWordLength = 32_768;
export const maxVariables = 256;

/** What every request says: about which task, and until when. */
export const requestFields = {
  nodeName: objectName.describe('The node of the task. On another node than the task’s it fails with NodeMismatch.'),
  taskName: taskName.describe('The NodeTask that it is about, in the same namespace.'),
  taskUID: text(128)
    .min(1)
    .exactOptional()
    .describe('Only if the NodeTask has this metadata.uid; absent: whichever has the name.'),
  startDeadlineSeconds: z
    .int()
    .min(0)
    .max(maxStartDeadlineSeconds)
    .default(60)
    .describe('Seconds that it waits for the task to be there and to run; then it fails.'),
  requestedBy: text(1024)
    .exactOptional()
    .describe('Who asked for it. Unverified, unless an admission policy forces it to the name of the requester.'),
} as const;

const ttl = z.int().min(0).max(maxTtlSeconds);
/** How long what has ended is kept. */
export const ttlField = ttl.default(defaultTtlSeconds).describe('Seconds until the finished object is deleted.');

/** A variable of a program that is run beside the task’s own. */
export const execVariable = z.strictObject({
  name: pattern(/^[^=\0]+$/, 512, 'be the name of a variable: not empty and without "="').describe(
    'Name of the variable.',
  ),
  value: noZero(maxWordLength).exactOptional().describe('Its value, as it stands; empty when absent.'),
});

/** `spec` of a NodeTaskExec: one run of a program in a task's container. */
export const execSpecSchema = z.strictObject({
  ...requestFields,
  command: list(noZero(maxWordLength), maxWords).min(1).describe('The program and its arguments; no shell reads them.'),
  env: list(execVariable, maxVariables).exactOptional().describe('Variables beside those of the task.'),
  workingDir: absolutePath.exactOptional().describe('Its working directory; default the task’s.'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(maxExecTimeoutSeconds)
    .default(60)
    .describe('Seconds that it may run; then all its processes are killed and it fails with Timeout.'),
  capture: z
    .enum(['HeadTail', 'None'])
    .default('HeadTail')
    .describe('HeadTail: the first and last of its output are kept in status, 32 KiB together. None: nothing is.'),
  ttlSecondsAfterFinished: ttlField,
});

/** `spec` of a NodeTaskSignal: one signal to a task. It never waits for a task to run. */
export const signalSpecSchema = z.strictObject({
  ...requestFields,
  signal: pattern(/^[A-Za-z0-9+-]+$/, 16, 'be the name or number of a signal, such as HUP or "1"').describe(
    'The signal; HUP, SIGHUP and "1" are one.',
  ),
  scope: z
    .enum(['Init', 'All'])
    .default('Init')
    .describe('Init: the task’s first process. All: every process of the task.'),
  ttlSecondsAfterFinished: ttlField,
});

/** `spec` of a NodeTaskCheckpoint: the state of a task on its node's disk. Deleting the object deletes the data. */
export const checkpointSpecSchema = z.strictObject({
  ...requestFields,
  afterCheckpoint: z
    .enum(['Continue', 'Stop'])
    .default('Continue')
    .describe('Continue: the task goes on as it was. Stop: its run ends there, reason Checkpointed.'),
  ttlSecondsAfterFinished: ttl
    .exactOptional()
    .describe('Seconds until the finished object and its data are deleted; absent: never.'),
});

/** One of the kinds that ask for one act on a task. */
export const oneShotKinds = ['NodeTaskExec', 'NodeTaskSignal', 'NodeTaskCheckpoint'] as const;
export type OneShotKind = (typeof oneShotKinds)[number];

/** `spec` and `status` of each kind as the API server publishes them. */
export const publishedOneShotSchemas = {
  NodeTaskExec: z.strictObject({ spec: execSpecSchema, status: execStatusSchema.exactOptional() }),
  NodeTaskSignal: z.strictObject({ spec: signalSpecSchema, status: signalStatusSchema.exactOptional() }),
  NodeTaskCheckpoint: z.strictObject({ spec: checkpointSpecSchema, status: checkpointStatusSchema.exactOptional() }),
} as const satisfies Record<OneShotKind, z.ZodType>;

/** A text that can be an argument or a variable's value: the kernel ends them at the first zero byte. */
export function noZero(maxLength: number): z.ZodString {
  return pattern(/^[^\0]*$/, maxLength, 'not hold a zero byte');
}
