import { inNamespace, replies, unary } from '#api/client.ts';
import type { AttachStart, AttachStarted } from '#api/gen/runlet/v1/runlet.ts';
import { UnavailableError } from '#errors/errors.ts';
import type { Session } from '../session.ts';
import { write, writeLine, type Shell } from '../shell.ts';
import { followSize, handInputOn } from './hand-on.ts';
import { forwardSignals, signalled } from './signals.ts';

/** How a conversation with a process ended: with the process, or the client let go. */
export type Outcome =
  | { readonly kind: 'exited'; readonly status: number; readonly reason: string }
  | { readonly kind: 'left'; readonly status: number };

export interface AttachOptions {
  readonly start: AttachStart;
  readonly detachKeys: readonly number[];
  /** Called once the streams are connected and before anything is sent: for a task that waits for its start. */
  readonly onConnected?: () => Promise<void>;
}

type Stream = ReturnType<Session['api']['runlet']['attach']>;

/**
 * Connects this terminal, or these pipes, with a process until it has ended or the user lets go. The terminal is as it was
 * afterwards. Throws UnavailableError when the agent goes away; the task does not.
 */
export async function attach(session: Session, shell: Shell, options: AttachOptions): Promise<Outcome> {
  const stream = session.api.runlet.attach();
  stream.on('error', () => {}); // replies() tells of it
  stream.write({ message: { $case: 'start', value: options.start } });
  using held = new DisposableStack();
  let left: Outcome | undefined;
  const leave = (status: number) => {
    left = { kind: 'left', status };
    stream.cancel();
  };
  try {
    for await (const { message } of replies(stream)) {
      switch (message?.$case) {
        case 'started':
          await options.onConnected?.();
          converse({ session, shell, options, stream, held, leave }, message.value);
          break;
        case 'stdout':
          await write(shell.stdout, message.value);
          break;
        case 'stderr':
          await write(shell.stderr, message.value);
          break;
        case 'exit':
          return { kind: 'exited', status: message.value.status, reason: message.value.reason };
        case undefined:
          break;
      }
    }
  } catch (error) {
    if (left) return left;
    throw connected(error, options.start);
  }
  return left ?? { kind: 'left', status: 0 };
}

/** An agent that went away in the middle is not one that was never there. */
function connected(error: unknown, { id, exec }: AttachStart): unknown {
  if (!(error instanceof UnavailableError) || error.message.startsWith('no agent answers')) return error;
  const how = exec ? 'the process goes on' : `the task goes on: \`runlet attach ${id}\` connects again`;
  return new UnavailableError(`the connection to the agent broke; ${how}`, { cause: error });
}

interface Conversation {
  readonly session: Session;
  readonly shell: Shell;
  readonly options: AttachOptions;
  readonly stream: Stream;
  readonly held: DisposableStack;
  readonly leave: (status: number) => void;
}

/** Input, size and signals go to the process from now on. */
function converse(conversation: Conversation, started: AttachStarted): void {
  const { shell, options, stream, held, leave } = conversation;
  held.use(
    forwardSignals(shell, {
      signal: (number) => void forward(conversation, started.execId, number),
      leave: (number) => leave(signalled + number),
    }),
  );
  const { terminal } = started;
  if (terminal) followSize({ shell, stream, held });
  if (!options.start.stdin) return;
  handInputOn({ shell, stream, held, terminal }, options.detachKeys, () => detach(shell, options.start, leave));
}

async function detach(shell: Shell, { id }: AttachStart, leave: (status: number) => void): Promise<void> {
  leave(0);
  await writeLine(shell.stderr, `\r\ndetached; \`runlet attach ${id}\` connects again\r`);
}

/** A process that has ended meanwhile needs no signal. */
async function forward({ session, options }: Conversation, execId: string, signal: number): Promise<void> {
  const { namespace, id } = options.start;
  const request = { containerId: id, execId, signal, all: false };
  const { tasks } = session.api;
  await unary(tasks.kill.bind(tasks), request, { metadata: inNamespace(namespace) }).catch(() => {});
}
