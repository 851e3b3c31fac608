import type { Readable, Writable } from 'node:stream';

/** What the program was started in: everything that a command touches of its surroundings, so that tests can be one. */
export interface Shell {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
  readonly stdout: Writable & TerminalSize;
  readonly stderr: Writable & TerminalSize;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The program's own version. */
  readonly version: string;
  /** Calls for each signal of this name until disposed of; the signal then does not end the program. */
  onSignal(name: NodeJS.Signals, listener: () => void): Disposable;
  nowMs(): number;
  /** Resolves after a time, or at once when `signal` aborts. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

interface TerminalSize {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Whoever read our output has gone, which is no failure: `runlet ps | head -1`. */
export class ReaderGoneError extends Error {}

/** Writes and waits while the reader is behind. Throws ReaderGoneError when there is none any more. */
export async function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.write(data, (error) => {
      if (!error) resolve();
      else if ('code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED')) {
        reject(new ReaderGoneError('nobody reads the output any more', { cause: error }));
      } else reject(error);
    });
  });
}

/** Writes a line. */
export async function writeLine(stream: Writable, line: string): Promise<void> {
  await write(stream, `${line}\n`);
}
