import * as z from 'zod';
import { text } from '#kubernetes/node-task/fields.ts';
import { requestStatusFields } from '../one-shot/schema-status.ts';

/** `status` of every session: who may have taken it up, and how it ended. */
export const sessionStatusSchema = z.strictObject({
  ...requestStatusFields,
  exitStatus: z
    .int()
    .min(0)
    .max(255)
    .exactOptional()
    .describe('How the process ended that the session was with; 128+n when signal n ended it.'),
  recording: text(4096)
    .exactOptional()
    .describe('File with what was typed and shown, relative to the agent’s root on the node.'),
});

export type SessionStatus = z.output<typeof sessionStatusSchema>;
