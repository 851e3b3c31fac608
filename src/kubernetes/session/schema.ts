import * as z from 'zod';
import { absolutePath, list, pattern } from '#kubernetes/node-task/fields.ts';
import {
  execVariable,
  maxVariables,
  maxWordLength,
  maxWords,
  noZero,
  requestFields,
  ttlField,
} from '../one-shot/schema.ts';
import { sessionStatusSchema } from './schema-status.ts';

/** An hour: nobody opens a stream and waits longer before using it. */
const maxStartDeadlineSeconds = 3600;

const sessionFields = {
  ...requestFields,
  startDeadlineSeconds: z
    .int()
    .min(1)
    .max(maxStartDeadlineSeconds)
    .default(60)
    .describe('Seconds after its creation within which its stream must be opened; then it is of no use any more.'),
  secretSHA256: pattern(
    /^[0-9a-f]{64}$/,
    64,
    'be the SHA-256 of the secret in 64 lower-case hexadecimal digits',
  ).describe(
    'SHA-256 of a secret that is made for this object alone. Whoever shows the agent the secret gets the stream, once.',
  ),
  ttlSecondsAfterFinished: ttlField,
} as const;

const stdin = z.boolean().default(false).describe('Whether what the client types is handed on.');

/** `spec` of a NodeTaskExecSession: a program in a task's container, with a stream to whoever asked for it. */
export const execSessionSpecSchema = z.strictObject({
  ...sessionFields,
  command: list(noZero(maxWordLength), maxWords).min(1).describe('The program and its arguments; no shell reads them.'),
  env: list(execVariable, maxVariables).exactOptional().describe('Variables beside those of the task.'),
  workingDir: absolutePath.exactOptional().describe('Its working directory; default the task’s.'),
  stdin,
  tty: z.boolean().default(false).describe('Whether it gets a terminal.'),
});

/** `spec` of a NodeTaskAttachSession: the streams of a task's first process. */
export const attachSessionSpecSchema = z.strictObject({ ...sessionFields, stdin });

/** `spec` of a NodeTaskLogSession: the lines of a task's log. */
export const logSessionSpecSchema = z.strictObject(sessionFields);

/** `spec` of a NodeTaskTopSession: what a task uses. */
export const topSessionSpecSchema = z.strictObject(sessionFields);

/** The kinds that announce a stream; each is a right of its own. */
export const sessionKinds = [
  'NodeTaskExecSession',
  'NodeTaskAttachSession',
  'NodeTaskLogSession',
  'NodeTaskTopSession',
] as const;
export type SessionKind = (typeof sessionKinds)[number];

const status = sessionStatusSchema.exactOptional();

/** `spec` and `status` of each kind as the API server publishes them. */
export const publishedSessionSchemas = {
  NodeTaskExecSession: z.strictObject({ spec: execSessionSpecSchema, status }),
  NodeTaskAttachSession: z.strictObject({ spec: attachSessionSpecSchema, status }),
  NodeTaskLogSession: z.strictObject({ spec: logSessionSpecSchema, status }),
  NodeTaskTopSession: z.strictObject({ spec: topSessionSpecSchema, status }),
} as const satisfies Record<SessionKind, z.ZodType>;
