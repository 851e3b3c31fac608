import { toTime } from '../reconcile/time.ts';
import type { SessionRecord } from './record.ts';
import type { SessionStatus } from './schema-status.ts';

const maxMessageLength = 4096;

/** The status of a session by its journal alone: the same whoever writes it and when. Pure. */
export function sessionStatus(record: SessionRecord): SessionStatus {
  const { outcome, begunAtMs, taskUID, recording, requestedBy } = record;
  const { state, reason, message } = outcome ?? { state: 'Running', reason: 'Running', message: 'its stream is open' };
  const by = requestedBy === undefined ? '' : ` (requested by ${requestedBy}, unverified unless a policy forces it)`;
  const said = { reason, message: `${message}${by}`.slice(0, maxMessageLength) };
  return {
    observedGeneration: record.generation,
    state,
    ...said,
    ...(taskUID === undefined ? {} : { taskUID }),
    ...(begunAtMs === undefined ? {} : { startedAt: toTime(begunAtMs) }),
    ...(outcome ? { finishedAt: toTime(outcome.finishedAtMs) } : {}),
    ...(outcome?.exitStatus === undefined ? {} : { exitStatus: outcome.exitStatus }),
    ...(recording === undefined ? {} : { recording }),
    conditions: conditionsOf(record, said),
  };
}

function conditionsOf(
  { outcome, createdAtMs, generation }: SessionRecord,
  why: { readonly reason: string; readonly message: string },
): NonNullable<SessionStatus['conditions']> {
  const condition = (type: 'Finished' | 'Succeeded', status: 'True' | 'False' | 'Unknown', atMs: number) => ({
    ...{ type, status, ...why },
    ...{ observedGeneration: generation, lastTransitionTime: toTime(atMs) },
  });
  if (!outcome) return [condition('Finished', 'False', createdAtMs), condition('Succeeded', 'Unknown', createdAtMs)];
  const { state, finishedAtMs } = outcome;
  const success = { Succeeded: 'True', Failed: 'False', Unknown: 'Unknown' } as const;
  return [
    condition('Finished', 'True', finishedAtMs),
    condition('Succeeded', success[state], state === 'Unknown' ? createdAtMs : finishedAtMs),
  ];
}
