import type { SessionReply, SessionRequest } from '#api/gen/runlet/v1/sessions.ts';
import { write, writeLine, type Shell } from '../shell.ts';
import { followSize, handInputOn } from '../terminal/hand-on.ts';
import { forwardSignals, signalled } from '../terminal/signals.ts';
import type { OpenSession } from './session.ts';

/** Our side of a session's stream. */
export interface ClientDuplex {
  write(request: SessionRequest, done?: () => void): boolean;
  cancel(): void;
}

export interface ConverseOptions {
  /** Whether what is typed is handed on. */
  readonly stdin: boolean;
  readonly detachKeys: readonly number[];
  /** Whether signals to us are meant for the process; else they end the session. */
  readonly signals: boolean;
  /** How to connect again, for who lets go; absent: the process ends with the session. */
  readonly again?: string;
}

/** Connects this terminal, or these pipes, with a session until its process has ended or the user lets go; resolves with the exit status. */
export async function converse(session: OpenSession, shell: Shell, options: ConverseOptions): Promise<number> {
  const { started, stream, nodeName } = session;
  if (started.recorded) await writeLine(shell.stderr, `this session is recorded on node ${nodeName}`);
  using held = new DisposableStack();
  let left: number | undefined;
  const leave = (status: number) => {
    left = status;
    stream.cancel();
  };
  sendSignals(session, shell, options, held, leave);
  if (started.terminal) followSize({ shell, stream, held });
  if (options.stdin) sendInput(session, shell, options, held, leave);
  try {
    for await (const { message } of rest(session)) {
      switch (message?.$case) {
        case 'stdout':
          await write(shell.stdout, message.value);
          break;
        case 'stderr':
          await write(shell.stderr, message.value);
          break;
        case 'exit':
          return message.value.status;
        case 'started':
        case 'log':
        case 'usage':
        case undefined:
          break;
      }
    }
  } catch (error) {
    if (left === undefined) throw error;
  }
  return left ?? 0;
}

/** What is still to come of a session. */
export function rest({ replies }: OpenSession): AsyncIterable<SessionReply> {
  return { [Symbol.asyncIterator]: () => replies };
}

function sendSignals(
  { stream }: OpenSession,
  shell: Shell,
  { signals }: ConverseOptions,
  held: DisposableStack,
  leave: (status: number) => void,
): void {
  held.use(
    forwardSignals(shell, {
      signal: (number) => {
        if (signals) stream.write({ message: { $case: 'signal', value: number } });
        else leave(signalled + number);
      },
      leave: (number) => leave(signalled + number),
    }),
  );
}

function sendInput(
  { started, stream }: OpenSession,
  shell: Shell,
  { detachKeys, again }: ConverseOptions,
  held: DisposableStack,
  leave: (status: number) => void,
): void {
  handInputOn({ shell, stream, held, terminal: started.terminal }, detachKeys, async () => {
    leave(0);
    await writeLine(shell.stderr, `\r\ndetached${again === undefined ? '' : `; \`${again}\` connects again`}\r`);
  });
}
