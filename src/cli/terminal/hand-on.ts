import type { Shell } from '../shell.ts';
import { DetachKeys } from './detach-keys.ts';
import { endOfTransmission, rawMode, readInput } from './input.ts';

/** What both ways of talking with a process, a task's on this node and a session's through a cluster, send of the terminal. */
type TerminalMessage =
  | { readonly $case: 'stdin'; readonly value: Buffer }
  | { readonly $case: 'closeStdin'; readonly value: boolean }
  | { readonly $case: 'resize'; readonly value: { width: number; height: number } };

/** The writing end of such a stream. */
interface TerminalStream {
  write(request: { message: TerminalMessage }, done?: () => void): boolean;
}

export interface HandOnOptions {
  readonly shell: Shell;
  readonly stream: TerminalStream;
  /** Gives the terminal back when it is disposed of. */
  readonly held: DisposableStack;
  /** Whether the process has a terminal. */
  readonly terminal: boolean;
}

/** Tells the process the size of this terminal, now and whenever it changes. */
export function followSize({ shell, stream, held }: Omit<HandOnOptions, 'terminal'>): void {
  const tell = () => {
    const value = sizeOf(shell);
    if (value) stream.write({ message: { $case: 'resize', value } });
  };
  tell();
  held.use(shell.onSignal('SIGWINCH', tell));
}

/** Hands on what is typed, until its end or the detach keys; then `detached` is called. */
export function handInputOn(
  { shell, stream, held, terminal }: HandOnOptions,
  detachKeys: readonly number[],
  detached: () => Promise<void>,
): void {
  // Only where both are terminals: else control characters are data.
  if (terminal) held.use(rawMode(shell.stdin));
  const keys = new DetachKeys(terminal && shell.stdin.isTTY ? detachKeys : []);
  held.use(
    readInput(shell.stdin, {
      data: async (chunk) => {
        const fed = keys.feed(chunk);
        await sent(stream, { message: { $case: 'stdin', value: Buffer.from(fed.data) } });
        if (fed.detached) await detached();
      },
      end: () => {
        const value = Buffer.from(endOfTransmission);
        if (terminal) stream.write({ message: { $case: 'stdin', value } });
        else stream.write({ message: { $case: 'closeStdin', value: true } });
      },
    }),
  );
}

/** Resolves when the agent has taken it, so that a fast writer waits. */
async function sent(stream: TerminalStream, request: { message: TerminalMessage }): Promise<void> {
  await new Promise<void>((resolve) => stream.write(request, () => resolve()));
}

/** The size of this terminal; undefined where there is none. */
export function sizeOf({ stdout }: Shell): { readonly width: number; readonly height: number } | undefined {
  return stdout.columns && stdout.rows ? { width: stdout.columns, height: stdout.rows } : undefined;
}
