import * as z from 'zod';
import { pattern, quantity } from '../node-task/fields.ts';

/** The key of a limit of huge pages, as in a task's limits. */
const hugepages = /^hugepages-\d+(?:Ki|Mi|Gi)$/;

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

const known = new Set(['cpu', 'memory', 'memorySwap', 'ioWeight', 'pids']);

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
    .object({
      cpu: quantity.exactOptional().describe('Highest limits.cpu of a task.'),
      memory: quantity.exactOptional().describe('Highest limits.memory of a task; without memorySwap also: no swap.'),
      memorySwap: quantity.exactOptional().describe('Highest memorySwap of a task.'),
      ioWeight: z
        .int()
        .min(1)
        .max(10_000)
        .exactOptional()
        .describe('Highest io.weight of a task; 100 is what one has that names none.'),
      pids: z.int().min(1).exactOptional().describe('Most processes and threads of a task.'),
    })
    .catchall(quantity)
    .superRefine((limits, context) => {
      for (const name of Object.keys(limits)) {
        if (known.has(name) || hugepages.test(name)) continue;
        context.addIssue({ code: 'custom', path: [name], message: 'is no known field' });
      }
    })
    .exactOptional()
    .describe(
      'Limits per task, also hugepages-SIZE; a task that has no limit of its own where there is one here is refused.',
    ),
  recording: z
    .strictObject({
      sessions: z
        .array(
          z.strictObject({
            namespace: namespacePattern.describe('Which namespaces.'),
            mode: z
              .enum(['None', 'WherePossible', 'Required'])
              .describe(
                'None; WherePossible: a session goes on without a recording that cannot be written; Required: it is refused, or ends.',
              ),
          }),
        )
        .max(maxItems)
        .describe('Whose exec and attach sessions are recorded; the first that fits counts, no other is.'),
      typed: z.boolean().default(true).describe('Whether what is typed is written down beside what is shown.'),
      maxSize: quantity.default('64Mi').describe('Largest recording of one session.'),
      keepSeconds: z
        .int()
        .min(1)
        .max(315_360_000)
        .default(2_592_000)
        .describe('How long recordings are kept: 30 days.'),
      maxFiles: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(1000)
        .describe('How many are kept on the node; the oldest go first.'),
    })
    .exactOptional()
    .describe('What is typed and shown in sessions is written below the agent’s root, for root alone.'),
});

export type PolicyDocument = z.output<typeof policySchema>;
