import { toTime } from '../reconcile/time.ts';
import type { OneShotRecord, Result } from './record.ts';
import type { OneShotRequest } from './request.ts';
import type { OneShotCondition, OneShotState } from './schema-status.ts';
import type { OneShotKind } from './schema.ts';

/** A status of any of the kinds. */
export type OneShotStatus = Readonly<Record<string, unknown>> & {
  readonly state: OneShotState;
  readonly conditions: readonly OneShotCondition[];
};

/** Why a request is not begun yet. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

const maxMessageLength = 4096;

const doing: Readonly<Record<OneShotKind, string>> = {
  NodeTaskExec: 'its program runs',
  NodeTaskSignal: 'the signal is being sent',
  NodeTaskCheckpoint: 'the task is being dumped',
};

/** The status of a request, by its journal alone: the same whoever writes it and when. Pure. */
export function oneShotStatus(
  request: OneShotRequest,
  record: OneShotRecord | undefined,
  waiting?: Waiting,
): OneShotStatus {
  const { state, reason, message } = said(request, record, waiting);
  const { outcome, begunAtMs, taskUID } = record ?? {};
  return {
    observedGeneration: request.generation,
    ...{ state, reason, message },
    ...(taskUID === undefined ? {} : { taskUID }),
    ...(begunAtMs === undefined ? {} : { startedAt: toTime(begunAtMs) }),
    ...(outcome ? { finishedAt: toTime(outcome.finishedAtMs) } : {}),
    ...sayable(outcome?.result),
    conditions: conditionsOf(request, record, { reason, message }),
  };
}

/** Old API servers take an empty text of a status for null and refuse it: what was not written stays absent. */
function sayable(result: Result | undefined): Result {
  return Object.fromEntries(Object.entries(result ?? {}).filter(([, value]) => value !== ''));
}

function said(
  { kind, asked }: OneShotRequest,
  record: OneShotRecord | undefined,
  waiting: Waiting | undefined,
): { readonly state: OneShotState } & Waiting {
  const by = asked?.spec.requestedBy;
  const who = by === undefined ? '' : ` (requested by ${by}, unverified unless a policy forces it)`;
  const line = (message: string) => `${message}${who}`.slice(0, maxMessageLength);
  if (record?.outcome) {
    return { state: record.outcome.state, reason: record.outcome.reason, message: line(record.outcome.message) };
  }
  if (record?.begunAtMs !== undefined) return { state: 'Running', reason: 'Running', message: line(doing[kind]) };
  return { state: 'Pending', reason: waiting?.reason ?? 'Pending', message: line(waiting?.message ?? 'it waits') };
}

function conditionsOf(
  { kind, createdAtMs, generation }: OneShotRequest,
  record: OneShotRecord | undefined,
  why: Waiting,
): readonly OneShotCondition[] {
  const { outcome } = record ?? {};
  const available = (evicted: OneShotRecord['evicted']): OneShotCondition =>
    evicted
      ? {
          ...condition('Available', 'False', evicted.atMs),
          ...{ reason: 'Evicted', message: `Its data were removed: ${evicted.why}.` },
        }
      : condition('Available', 'True', outcome?.finishedAtMs ?? createdAtMs);
  const condition = (type: OneShotCondition['type'], status: OneShotCondition['status'], atMs: number) => ({
    ...{ type, status, reason: why.reason, message: why.message },
    ...{ observedGeneration: generation, lastTransitionTime: toTime(atMs) },
  });
  if (!outcome) return [condition('Finished', 'False', createdAtMs), condition('Succeeded', 'Unknown', createdAtMs)];
  const { state, finishedAtMs } = outcome;
  const success = { Succeeded: 'True', Failed: 'False', Unknown: 'Unknown' } as const;
  return [
    condition('Finished', 'True', finishedAtMs),
    condition('Succeeded', success[state], state === 'Unknown' ? createdAtMs : finishedAtMs),
    ...(kind === 'NodeTaskCheckpoint' && state === 'Succeeded' ? [available(record?.evicted)] : []),
  ];
}
