import { attributed, endConditions, wayFields } from '../one-shot/status-parts.ts';
import type { SessionRecord } from './record.ts';
import type { SessionStatus } from './schema-status.ts';

/** The status of a session by its journal alone: the same whoever writes it and when. Pure. */
export function sessionStatus(record: SessionRecord): SessionStatus {
  const { outcome, recording, requestedBy, generation, createdAtMs } = record;
  const { state, reason, message } = outcome ?? { state: 'Running', reason: 'Running', message: 'its stream is open' };
  const said = { reason, message: attributed(message, requestedBy) };
  return {
    observedGeneration: generation,
    state,
    ...said,
    ...wayFields(record),
    ...(outcome?.exitStatus === undefined ? {} : { exitStatus: outcome.exitStatus }),
    ...(recording === undefined ? {} : { recording }),
    conditions: endConditions(outcome, { ...said, generation, createdAtMs }),
  };
}
