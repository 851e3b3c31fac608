import type { Clock } from '#async/clock.ts';
import type { Records } from '#task/records.ts';
import { RecordBook } from '../one-shot/record-book.ts';
import type { SessionOutcome, SessionRecord } from './record.ts';

/** The journals of the node's sessions. */
export class SessionJournal extends RecordBook<SessionRecord> {
  readonly #clock: Clock;

  constructor(records: Records<SessionRecord>, clock: Clock) {
    super(records);
    this.#clock = clock;
  }

  async conclude(record: SessionRecord, outcome: SessionOutcome): Promise<SessionRecord> {
    return await this.put({ ...record, outcome: { ...outcome, finishedAtMs: this.#clock.nowMs() } });
  }
}
