import { join } from 'node:path';
import { Mutex } from '#async/mutex.ts';
import type { Clock } from '#async/clock.ts';
import { errorMessage } from '#errors/errors.ts';
import { AppendFile } from '#host/append-file.ts';
import { listFoldersSync, listNamesSync, modifiedMs, removeFileSync } from '#host/files.ts';
import type { Log } from '#log/log.ts';
import type { RecordingPolicy } from '../policy/policy.ts';
import type { RecordingStart, Recordings, SessionRecorder } from '../session/recorder.ts';
import { castHeader } from './asciicast.ts';
import { Recording } from './recording.ts';

/** Below the agent's root. */
const folderName = 'recordings';

const sweepEveryMs = 3_600_000;

export interface RecordingsOptions {
  readonly root: string;
  readonly policy: RecordingPolicy;
  readonly clock: Clock;
  readonly log: Log;
}

/** Recordings of sessions as files `<root>/recordings/<namespace>/<task>_<uid>.cast`, for root alone; the oldest go first. */
export class RecordingFiles implements Recordings, Disposable {
  readonly #options: RecordingsOptions;
  readonly #sweeping = new Mutex();
  /** Relative paths of what is being written. */
  readonly #open = new Set<string>();
  #cancel: (() => void) | undefined;
  #over = false;

  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  async begin(start: RecordingStart): Promise<SessionRecorder | undefined> {
    const { policy, log } = this.#options;
    const mode = policy.modeOf(start.namespace);
    if (mode === 'None') return undefined;
    try {
      return await this.#create(start, mode === 'Required' ? start.onLost : (error) => this.#lost(start, error));
    } catch (error) {
      if (mode === 'Required') throw error;
      log.warn({ session: start.name, reason: errorMessage(error) }, 'a session goes on without a recording');
      return undefined;
    }
  }

  /** Removes what is too old or too much, now and every hour until disposed of. */
  async start(): Promise<void> {
    await this.sweep().catch((error: unknown) => {
      this.#options.log.warn({ reason: errorMessage(error) }, 'old recordings cannot be removed');
    });
    if (!this.#over) this.#cancel = this.#options.clock.after(sweepEveryMs, () => void this.start());
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#cancel?.();
  }

  /** Removes what is too old or too much. */
  async sweep(): Promise<void> {
    using _turn = await this.#sweeping.acquire();
    const { policy, clock } = this.#options;
    const files = this.#files().toSorted((a, b) => b.atMs - a.atMs);
    const oldest = clock.nowMs() - policy.keepMs;
    for (const [index, { path, atMs }] of files.entries()) {
      if (this.#open.has(path) || (index < policy.maxFiles && atMs >= oldest)) continue;
      removeFileSync(join(this.#options.root, path));
    }
  }

  async #create(start: RecordingStart, onLost: (error: Error) => void): Promise<SessionRecorder> {
    const { root, policy, clock } = this.#options;
    const { namespace, taskName, uid } = start;
    const path = join(folderName, namespace, `${taskName}_${uid}.cast`);
    const header = castHeader(start, clock.nowMs());
    const sink = await AppendFile.create(join(root, path));
    this.#open.add(path);
    const closed = async () => {
      this.#open.delete(path);
      await sink[Symbol.asyncDispose]();
      await this.sweep();
    };
    try {
      // Before anybody types: a full disk shows itself here.
      await sink.append(header);
    } catch (error) {
      await closed();
      removeFileSync(join(root, path));
      throw error;
    }
    return new Recording({
      ...{ path, clock, onLost, maxBytes: policy.maxBytes, typed: policy.typed, bytes: Buffer.byteLength(header) },
      sink: { append: (data) => sink.append(data), [Symbol.asyncDispose]: closed },
    });
  }

  #lost({ namespace, name }: RecordingStart, error: Error): void {
    this.#options.log.warn({ namespace, session: name, reason: errorMessage(error) }, 'a recording ended early');
  }

  #files(): readonly { readonly path: string; readonly atMs: number }[] {
    const folder = join(this.#options.root, folderName);
    return listFoldersSync(folder).flatMap((namespace) =>
      listNamesSync(join(folder, namespace))
        .filter((name) => name.endsWith('.cast'))
        .map((name) => ({
          path: join(folderName, namespace, name),
          atMs: modifiedMs(join(folder, namespace, name)) ?? 0,
        })),
    );
  }
}
