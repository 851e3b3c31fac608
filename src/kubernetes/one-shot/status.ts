import type { OneShotRecord, Result } from './record.ts';
import type { OneShotRequest } from './request.ts';
import type { OneShotCondition, OneShotState } from './schema-status.ts';
import type { OneShotKind } from './schema.ts';
import { attributed, condition, endConditions, wayFields } from './status-parts.ts';

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
  return {
    observedGeneration: request.generation,
    ...{ state, reason, message },
    ...wayFields(record ?? {}),
    ...sayable(record?.outcome?.result),
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
  const line = (message: string) => attributed(message, asked?.spec.requestedBy);
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
  const { outcome, evicted } = record ?? {};
  const ends = endConditions(outcome, { ...why, generation, createdAtMs });
  if (kind !== 'NodeTaskCheckpoint' || outcome?.state !== 'Succeeded') return ends;
  if (!evicted) return [...ends, condition('Available', 'True', { ...why, generation, atMs: outcome.finishedAtMs })];
  const message = `Its data were removed: ${evicted.why}.`;
  const gone = { reason: 'Evicted', message, generation, atMs: evicted.atMs };
  return [...ends, condition('Available', 'False', gone)];
}
