import { toTime } from '../reconcile/time.ts';
import type { OneShotCondition } from './schema-status.ts';

/** What the journal of any request or session says of its way. */
interface Way {
  readonly taskUID?: string;
  readonly begunAtMs?: number;
  readonly outcome?: { readonly state: 'Succeeded' | 'Failed' | 'Unknown'; readonly finishedAtMs: number };
}

const maxMessageLength = 4096;

/** A sentence for the status, with who asked, cut to what the schema takes. */
export function attributed(message: string, requestedBy: string | undefined): string {
  const by = requestedBy === undefined ? '' : ` (requested by ${requestedBy}, unverified unless a policy forces it)`;
  return `${message}${by}`.slice(0, maxMessageLength);
}

/** Whom it concerned, when it began and when it ended, as far as it has come. */
export function wayFields({ taskUID, begunAtMs, outcome }: Way): {
  readonly taskUID?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
} {
  return {
    ...(taskUID === undefined ? {} : { taskUID }),
    ...(begunAtMs === undefined ? {} : { startedAt: toTime(begunAtMs) }),
    ...(outcome ? { finishedAt: toTime(outcome.finishedAtMs) } : {}),
  };
}

/** One condition of a generation. */
export function condition(
  type: OneShotCondition['type'],
  status: OneShotCondition['status'],
  facts: { readonly reason: string; readonly message: string; readonly generation: number; readonly atMs: number },
): OneShotCondition {
  const { reason, message, generation, atMs } = facts;
  return { type, status, reason, message, observedGeneration: generation, lastTransitionTime: toTime(atMs) };
}

/** Finished and Succeeded. What became of an Unknown one has not changed since its creation. */
export function endConditions(
  outcome: Way['outcome'],
  facts: {
    readonly reason: string;
    readonly message: string;
    readonly generation: number;
    readonly createdAtMs: number;
  },
): OneShotCondition[] {
  const { createdAtMs } = facts;
  const say = (type: 'Finished' | 'Succeeded', status: OneShotCondition['status'], atMs: number) =>
    condition(type, status, { ...facts, atMs });
  if (!outcome) return [say('Finished', 'False', createdAtMs), say('Succeeded', 'Unknown', createdAtMs)];
  const { state, finishedAtMs } = outcome;
  const success = { Succeeded: 'True', Failed: 'False', Unknown: 'Unknown' } as const;
  return [
    say('Finished', 'True', finishedAtMs),
    say('Succeeded', success[state], state === 'Unknown' ? createdAtMs : finishedAtMs),
  ];
}
