import type { ObjectIdentity } from '../reconcile/source.ts';
import type { TerminalSize } from './stream.ts';

/** Writes down what is typed and shown in one session; nothing of it waits for the disk. */
export interface SessionRecorder {
  /** The file, relative to the agent's root. */
  readonly path: string;
  shown(data: Uint8Array): void;
  typed(data: Uint8Array): void;
  resized(size: TerminalSize): void;
  /** Resolves when all of it is on the disk, or never will be. */
  close(): Promise<void>;
}

export interface RecordingStart extends ObjectIdentity {
  readonly taskName: string;
  readonly kind: string;
  readonly command?: readonly string[];
  readonly requestedBy?: string;
  readonly size?: TerminalSize;
  /** Called once when the recording ends before the session, and a session without one must not be. */
  readonly onLost: (error: Error) => void;
}

/** What the node's policy wants recorded. */
export interface Recordings {
  /** Undefined where nothing is to be recorded. Throws when a recording is required and cannot be begun. */
  begin(start: RecordingStart): Promise<SessionRecorder | undefined>;
}

/** Of a node without such a policy. */
export const noRecordings: Recordings = { begin: () => Promise.resolve(undefined) };
