import { join } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { Mutex } from '#async/mutex.ts';
import { exists, removeTree } from '#host/files.ts';
import type { Log } from '#log/log.ts';
import type { TaskManager } from '#task/task-manager.ts';
import { checkpointPath, checkpointPlaces } from './checkpoint-folder.ts';
import type { Journal } from './journal.ts';
import type { OneShotRecord } from './record.ts';
import { nextEvictionMs, planEviction, type KeptCheckpoint, type RetentionLimits } from './retention.ts';

export interface KeeperOptions {
  readonly journal: Journal;
  readonly tasks: Pick<TaskManager, 'list'>;
  /** The agent's durable folder. */
  readonly root: string;
  readonly limits: RetentionLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when a checkpoint's data have gone. */
  readonly onEvicted: (record: OneShotRecord) => void;
}

/** Keeps the checkpoints of a node within their limits. That one goes is on disk before its data are: a crash loses nothing. */
export class CheckpointKeeper implements Disposable {
  readonly #options: KeeperOptions;
  readonly #turn = new Mutex();
  /** UID → how many tasks are being made from it. */
  readonly #lent = new Map<string, number>();
  /** UID → why it is about to go. */
  readonly #going = new Map<string, string>();
  #cancel: () => void = () => {};

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Makes sure that the data of all that went before are gone, also where an agent was cut off. Once, before the first look. */
  async recover(): Promise<void> {
    const { journal, root } = this.#options;
    for (const record of journal.all()) {
      const folder = join(root, checkpointPath(record));
      if (record.evicted && (await exists(folder))) await removeTree(folder);
    }
  }

  /** Evicts what lies outside the limits now, and looks again when the next one's time is over. */
  async look(): Promise<void> {
    const { journal, clock, limits, root, log, onEvicted } = this.#options;
    using _turn = await this.#turn.acquire();
    for (const { uid, why } of planEviction(this.#kept(), limits, clock.nowMs())) {
      const record = journal.get(uid);
      if (!record || this.#inUse(record)) continue;
      this.#going.set(uid, why);
      try {
        await journal.evict(uid, why);
        await removeTree(join(root, checkpointPath(record)));
      } finally {
        this.#going.delete(uid);
      }
      log.info({ namespace: record.namespace, checkpoint: record.name, why }, 'evicted a checkpoint');
      onEvicted(record);
    }
    this.#lookLater();
  }

  /** Why a checkpoint's data have gone or are going; undefined while they stay. */
  evicted(uid: string): string | undefined {
    return this.#going.get(uid) ?? this.#options.journal.get(uid)?.evicted?.why;
  }

  /** Keeps a checkpoint while a task is being made from it; to be let go of once the task itself says so. */
  lend(uid: string): Disposable {
    this.#lent.set(uid, (this.#lent.get(uid) ?? 0) + 1);
    let back = false;
    return {
      [Symbol.dispose]: () => {
        if (back) return;
        back = true;
        const left = (this.#lent.get(uid) ?? 1) - 1;
        if (left > 0) this.#lent.set(uid, left);
        else this.#lent.delete(uid);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #kept(): readonly KeptCheckpoint[] {
    return this.#options.journal.all().flatMap((record) => {
      const { kind, outcome, evicted, uid } = record;
      if (kind !== 'NodeTaskCheckpoint' || outcome?.state !== 'Succeeded' || evicted) return [];
      const { finishedAtMs, result } = outcome;
      return [{ uid, finishedAtMs, sizeBytes: result?.sizeBytes ?? 0, inUse: this.#inUse(record) }];
    });
  }

  /** A task that waits for its start, or is just being restored, still needs its images. */
  #inUse(record: OneShotRecord): boolean {
    const { tasks, root } = this.#options;
    const { images } = checkpointPlaces(join(root, checkpointPath(record)));
    return (
      this.#lent.has(record.uid) || tasks.list().some((task) => task.restoring && task.record.restoreFrom === images)
    );
  }

  #lookLater(): void {
    const { clock, limits, log } = this.#options;
    this.#cancel();
    this.#cancel = () => {};
    // What is in use although its time is over is looked at again with the next one.
    const free = this.#kept().filter(({ inUse }) => !inUse);
    const atMs = nextEvictionMs(free, limits);
    if (atMs === undefined) return;
    this.#cancel = clock.after(Math.max(1, atMs - clock.nowMs()), () => {
      this.look().catch((error: unknown) => log.warn({ err: error }, 'cannot evict checkpoints'));
    });
  }
}
