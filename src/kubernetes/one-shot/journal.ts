import type { Clock } from '#async/clock.ts';
import type { Records } from '#task/records.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';
import { RecordBook } from './record-book.ts';
import type { OneShotRecord, Outcome } from './record.ts';
import type { OneShotRequest } from './request.ts';

/** The journals of all requests of the node. */
export class Journal extends RecordBook<OneShotRecord> {
  readonly #clock: Clock;

  constructor(records: Records<OneShotRecord>, clock: Clock) {
    super(records);
    this.#clock = clock;
  }

  /** Every request of this name, also former ones. */
  named({ namespace, name }: Pick<ObjectIdentity, 'namespace' | 'name'>, kind: string): readonly OneShotRecord[] {
    return this.all().filter((one) => one.kind === kind && one.name === name && one.namespace === namespace);
  }

  /**
   * Does an act at most once, over any crash: that it begins is on disk before `act` is called, and its outcome is when this
   * resolves. Undefined from `act`: the agent leaves, and nobody will know. Throws when the disk does not take the beginning;
   * then nothing was done.
   */
  async once(
    request: OneShotRequest,
    taskUID: string,
    act: (begun: OneShotRecord) => Promise<Outcome | undefined>,
  ): Promise<void> {
    const begun = { ...whose(request), taskUID, begunAtMs: this.#clock.nowMs() };
    if (this.get(request.uid)) return;
    await this.put(begun);
    const outcome = await act(begun);
    if (outcome) await this.put({ ...begun, outcome: { ...outcome, finishedAtMs: this.#clock.nowMs() } });
  }

  /** Writes down how it ended without having been done, or that nobody knows. */
  async conclude(request: OneShotRequest, outcome: Outcome): Promise<void> {
    const taskUID = request.reported.taskUID;
    const before = this.get(request.uid) ?? { ...whose(request), ...(taskUID === undefined ? {} : { taskUID }) };
    await this.put({ ...before, outcome: { ...outcome, finishedAtMs: this.#clock.nowMs() } });
  }

  /** Writes down that a checkpoint's data are to go. */
  async evict(uid: string, why: string): Promise<void> {
    const record = this.get(uid);
    if (record) await this.put({ ...record, evicted: { atMs: this.#clock.nowMs(), why } });
  }
}

function whose({ kind, namespace, name, uid }: OneShotRequest): ObjectIdentity & Pick<OneShotRecord, 'kind'> {
  return { kind, namespace, name, uid };
}
