import type { Clock } from '#async/clock.ts';
import type { Records } from '#task/records.ts';
import type { SessionOutcome, SessionRecord } from './record.ts';

/** The journals of the node's sessions, in memory and durably: disk first. */
export class SessionJournal {
  readonly #records: Records<SessionRecord>;
  readonly #clock: Clock;
  readonly #known = new Map<string, SessionRecord>();

  constructor(records: Records<SessionRecord>, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Reads what a former agent wrote. Before anything else. */
  async load(): Promise<readonly SessionRecord[]> {
    for (const record of await this.#records.load()) this.#known.set(record.uid, record);
    return [...this.#known.values()];
  }

  get(uid: string): SessionRecord | undefined {
    return this.#known.get(uid);
  }

  /** Resolves when it is on the disk. Throws when the disk does not take it; then it is as before. */
  async put(record: SessionRecord): Promise<SessionRecord> {
    await this.#records.put(record.uid, record);
    this.#known.set(record.uid, record);
    return record;
  }

  async conclude(record: SessionRecord, outcome: SessionOutcome): Promise<SessionRecord> {
    return await this.put({ ...record, outcome: { ...outcome, finishedAtMs: this.#clock.nowMs() } });
  }

  /** The object is gone. */
  async forget(uid: string): Promise<void> {
    await this.#records.remove(uid);
    this.#known.delete(uid);
  }
}
