import * as z from 'zod';
import type { KubeObject } from '../client/object.ts';
import { defaultTtlSeconds } from '../one-shot/schema.ts';

/** Clocks of the controller and the API server differ by this much at most; an agent that is there is quicker. */
const patienceMs = 120_000;

const specSchema = z.looseObject({
  startDeadlineSeconds: z.number().catch(60),
  ttlSecondsAfterFinished: z.number().catch(defaultTtlSeconds),
});
const statusSchema = z.looseObject({ finishedAt: z.string().optional(), startedAt: z.string().optional() }).catch({});

/**
 * Whether the time of a session's object is over and no agent has deleted it: nobody came for it in time, so that no agent has
 * ever heard of it, or its agent has gone. Pure.
 */
export function isAbandoned(object: KubeObject, nowMs: number): boolean {
  const { startDeadlineSeconds, ttlSecondsAfterFinished } = specSchema
    .catch({ startDeadlineSeconds: 60, ttlSecondsAfterFinished: defaultTtlSeconds })
    .parse(object['spec'] ?? {});
  const { finishedAt, startedAt } = statusSchema.parse(object['status'] ?? {});
  const created = Date.parse(String(object.metadata['creationTimestamp']));
  const endMs = finishedAt === undefined ? created + startDeadlineSeconds * 1000 : Date.parse(finishedAt);
  if (finishedAt === undefined && startedAt !== undefined) return false; // it is open
  return nowMs > endMs + ttlSecondsAfterFinished * 1000 + patienceMs;
}
