import type { Task } from '#task/task.ts';

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Which lines of a log are wanted. */
export interface LogChoice {
  readonly follow: boolean;
  /** Which run, from 0; absent: the last one. */
  readonly attempt?: number;
  /** Wall clock. */
  readonly sinceMs?: number;
  readonly tail?: number;
}

/** What a client shows to take up a session. */
export interface SessionTicket {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly secret: Uint8Array;
  /** The client's terminal. */
  readonly size?: TerminalSize;
  readonly logs?: LogChoice;
  /** `readings`: 0 is until the client leaves. */
  readonly top?: { readonly intervalMs: number; readonly readings: number };
}

/** What comes from the client. */
export type SessionInput =
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  | { readonly kind: 'closeStdin' }
  | { readonly kind: 'signal'; readonly signal: number };

/** A line of a log, or a part of one. */
export interface LogLine {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** What goes to it. */
export type SessionOutput =
  | { readonly kind: 'started'; readonly terminal: boolean; readonly recorded: boolean }
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly kind: 'log'; readonly line: LogLine }
  | { readonly kind: 'usage'; readonly task: Task }
  | { readonly kind: 'exit'; readonly status: number; readonly reason: string };

/** The other end of a session's stream. */
export interface SessionClient {
  readonly input: AsyncIterator<SessionInput>;
  /** Resolves when more may be sent. Throws CancelledError when the client has gone. */
  send(output: SessionOutput): Promise<void>;
  /** Aborts when it has gone. */
  readonly signal: AbortSignal;
}
