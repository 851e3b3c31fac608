import * as z from 'zod';
import { pattern, quantity } from '../node-task/fields.ts';

/** A namespace, or the beginning of its name and `*`. */
const namespacePattern = pattern(
  /^(?:\*|[a-z0-9][-a-z0-9]*\*?)$/,
  64,
  'be the name of a namespace, or its beginning and "*"',
);

/** A registry's host, with a path where only part of it is meant. */
const registry = pattern(
  /^[A-Za-z0-9[\]:._-]+(?:\/[a-z0-9._-]+)*$/,
  512,
  'be a registry with or without a path, such as registry.example.com/team: no scheme, no "/" at the end',
);

const maxItems = 1000;

/** The file of `--policy`: what the node's administrator lets tasks of a cluster be, beside their namespace's level. */
export const policySchema = z.strictObject({
  namespaces: z
    .array(namespacePattern)
    .max(maxItems)
    .exactOptional()
    .describe('Namespaces whose tasks run on this node; absent: all.'),
  registries: z
    .array(registry)
    .max(maxItems)
    .exactOptional()
    .describe('Where images may come from: registries, or repositories and all below them; absent: anywhere.'),
  levels: z
    .array(
      z.strictObject({
        namespace: namespacePattern.describe('Which namespaces.'),
        level: z.enum(['privileged', 'baseline', 'restricted']).describe('The widest level that they can have here.'),
      }),
    )
    .max(maxItems)
    .exactOptional()
    .describe(
      'Ceilings; the first that fits counts. They narrow what a namespace’s own label allows, and never widen it.',
    ),
  limits: z
    .strictObject({
      cpu: quantity.exactOptional().describe('Highest limits.cpu of a task.'),
      memory: quantity.exactOptional().describe('Highest limits.memory of a task.'),
      pids: z.int().min(1).exactOptional().describe('Most processes and threads of a task.'),
    })
    .exactOptional()
    .describe('Limits per task; a task that has no limit of its own where there is one here is refused.'),
});

export type PolicyDocument = z.output<typeof policySchema>;
