/**
 * Where a process's standard streams go. Only `fifo` and `file` come from containerd's API; `log` is what NodeTasks and
 * `runlet run` use, because nobody needs to be there to read it.
 */
export type ProcessIo =
  /** All three on /dev/null. */
  | { readonly kind: 'null'; readonly terminal: false }
  /** FIFOs that the client made: the process's own descriptors, or the far ends of its terminal. */
  | {
      readonly kind: 'fifo';
      readonly terminal: boolean;
      readonly stdin?: string;
      readonly stdout?: string;
      readonly stderr?: string;
    }
  /** Both outputs appended, as they are, to a plain file. */
  | { readonly kind: 'file'; readonly terminal: false; readonly path: string }
  /** Kept by the monitor: attachable, and written to a CRI log file where there is a path. */
  | {
      readonly kind: 'log';
      readonly terminal: boolean;
      /** Whether the process has a stdin that a client can write to; else it is /dev/null. */
      readonly stdin: boolean;
      /** Whether that stdin ends with the first client that leaves or closes it, as in an interactive run; else never. */
      readonly stdinOnce?: boolean;
      /** Absolute path of the CRI log; without it the output goes to attached clients only. */
      readonly path?: string;
    };

/** The streams of a process that has none. */
export const noIo: ProcessIo = { kind: 'null', terminal: false };

/** A piece of output of an attached process. A terminal's output is all stdout. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** A live connection to a process's streams; disposing of it lets the process go on. */
export interface Attachment extends AsyncDisposable {
  /**
   * Output from the moment of attaching until the process has closed its streams. A reader that falls more than 4 MiB
   * behind loses the oldest output and finds a marker line in its place; the process never waits for it.
   */
  readonly output: AsyncIterable<OutputChunk>;
  /** Hands bytes to the process's stdin; resolves when the monitor took them. */
  write(data: Uint8Array): Promise<void>;
  /** Ends the process's stdin; nothing for a terminal, which has no such end. */
  closeStdin(): Promise<void>;
}
