import { join } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { errorMessage } from '#errors/errors.ts';
import { listFoldersSync, listNamesSync, modifiedMs, removeTree } from '#host/files.ts';
import type { Log } from '#log/log.ts';

export interface SweepOptions {
  readonly logDir: string;
  /** How long logs outlive their object. */
  readonly keepMs: number;
  /** Whether `namespace/id` is the name of something that is there. */
  readonly owned: (key: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** The least time between two looks: many objects that go together are one look's work. */
const shortestMs = 1000;

/** Removes logs whose object is gone when their time is over. It sleeps until the next one's is. */
export class LogSweeper implements Disposable {
  readonly #options: SweepOptions;
  readonly #flight = new SingleFlight<'sweep', void>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Looks now, and again when the next time is over. To be called when logs have lost their object, too. */
  look(): Promise<void> {
    return this.#flight.run('sweep', () => this.#sweep());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #sweep(): Promise<void> {
    const { clock, keepMs, log } = this.#options;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { path, atMs } of this.#unowned()) {
      const leftMs = atMs + keepMs - clock.nowMs();
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else {
        await removeTree(path).catch((error: unknown) =>
          log.warn({ path, reason: errorMessage(error) }, 'cannot remove logs whose time is over'),
        );
      }
    }
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#closed || nextMs === Number.POSITIVE_INFINITY) return;
    this.#cancel = clock.after(Math.max(nextMs, shortestMs), () => void this.look());
  }

  #unowned(): readonly { readonly path: string; readonly atMs: number }[] {
    const { logDir, owned } = this.#options;
    return listFoldersSync(logDir).flatMap((namespace) =>
      listFoldersSync(join(logDir, namespace)).flatMap((name) => {
        const path = join(logDir, namespace, name);
        return owned(`${namespace}/${name}`) ? [] : [{ path, atMs: lastChange(path) }];
      }),
    );
  }
}

function lastChange(folder: string): number {
  const files = listNamesSync(folder).map((name) => modifiedMs(join(folder, name)) ?? 0);
  return Math.max(modifiedMs(folder) ?? 0, ...files);
}
