import type { Clock } from '#async/clock.ts';
import { UnavailableError } from '#errors/errors.ts';
import { fileSize } from '#host/files.ts';
import { totalLength } from '#host/trees.ts';
import type { ImageFolders } from './folders.ts';
import type { PullProgress } from './images.ts';
import type { Manifest } from './manifest.ts';
import type { Reference } from './reference.ts';

export interface WatchedCopy {
  readonly reference: Reference;
  /** Where parts are written until they are whole. */
  readonly folder: string;
  readonly folders: ImageFolders;
  /** Unknown for some files of the node: then no bytes are told. */
  readonly manifest: Manifest | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly report: (progress: PullProgress) => void;
}

export interface CopyWatch extends Disposable {
  /** Aborts with the caller's, and when the registry has gone quiet. */
  readonly signal: AbortSignal;
  readonly stalled: UnavailableError | undefined;
}

/** How often a pull looks how far it has come, milliseconds. */
const lookMs = 250;
/** A registry that sends nothing for so long has gone, milliseconds. */
const stallMs = 5 * 60_000;

/** Tells how far a copy has come, until it is disposed of, and gives it up when nothing comes any more. */
export function watchCopy(copy: WatchedCopy): CopyWatch {
  const ended = new AbortController();
  const gaveUp = new AbortController();
  let stalled: UnavailableError | undefined;
  const look = async () => {
    for (let last = -1, sinceMs = copy.clock.monotonicMs(); !ended.signal.aborted;) {
      const now = await bytesSoFar(copy);
      if (ended.signal.aborted) return;
      copy.report({ phase: 'pulling', ...now.progress });
      if (now.bytes !== last) sinceMs = copy.clock.monotonicMs();
      last = now.bytes;
      if (copy.reference.kind === 'registry' && copy.clock.monotonicMs() - sinceMs > stallMs) {
        const text = `image ${copy.reference.text}: its registry has sent nothing for ${stallMs / 60_000} minutes`;
        stalled = new UnavailableError(text);
        gaveUp.abort(stalled);
      }
      await copy.clock.sleep(lookMs, ended.signal);
    }
  };
  look().catch(() => {}); // its sleep was cancelled, or what it looks at went away with the copy
  return {
    signal: AbortSignal.any([copy.signal, gaveUp.signal]),
    get stalled() {
      return stalled;
    },
    [Symbol.dispose]: () => ended.abort(),
  };
}

/** What is whole already, also by earlier pulls, and what is being written. */
async function bytesSoFar({ manifest, folder, folders }: WatchedCopy): Promise<{
  readonly bytes: number;
  readonly progress: { readonly doneBytes?: number; readonly totalBytes?: number };
}> {
  const parts = manifest ? [manifest.config, ...manifest.layers] : [];
  const totalBytes = parts.reduce((sum, { size }) => sum + size, 0);
  const whole = parts.filter(({ digest, size }) => fileSize(folders.blob(digest)) === size);
  const bytes = whole.reduce((sum, { size }) => sum + size, 0) + (await totalLength(folder));
  return { bytes, progress: totalBytes > 0 ? { doneBytes: Math.min(bytes, totalBytes), totalBytes } : {} };
}
