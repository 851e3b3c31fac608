import { DeadlineExceededError, InvalidArgumentError, ResourceExhaustedError } from '#errors/errors.ts';
import type { Clock } from '#async/clock.ts';
import type {
  SessionReply,
  SessionRequest,
  SessionsServer,
  SessionTicket as TicketMessage,
} from '../gen/runlet/v1/sessions.ts';
import type { Handlers } from '../handler.ts';
import { toLogChoice } from '../convert/log-choice.ts';
import { toUsage } from '../convert/usage.ts';
import type { SessionDoor, SessionInput, SessionOutput, SessionTicket } from '../ports.ts';

export interface SessionsOptions {
  readonly door: SessionDoor;
  readonly clock: Clock;
}

/** How long a connection may say nothing before it shows its ticket. */
const ticketPatienceMs = 10_000;
/** Streams at once, also those that nobody has let in yet. */
const maxStreams = 128;

/** runlet.v1.Sessions: the only service of the stream's port. */
export function sessionsService(handlers: Handlers, { door, clock }: SessionsOptions): SessionsServer {
  let open = 0;
  return {
    open: handlers.duplex<SessionRequest, SessionReply>(async (requests, { signal }, send) => {
      if (open >= maxStreams) throw new ResourceExhaustedError(`${maxStreams} sessions are open on this node`);
      open += 1;
      try {
        const messages = requests[Symbol.asyncIterator]();
        const ticket = await firstMessage(messages, clock);
        await door.open(toTicket(ticket), {
          input: inputs(messages),
          send: async (output) => {
            const reply = toReply(output, clock);
            if (reply) await send(reply);
          },
          signal,
        });
      } finally {
        open -= 1;
      }
    }),
  };
}

async function firstMessage(messages: AsyncIterator<SessionRequest>, clock: Clock): Promise<TicketMessage> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(ticketPatienceMs, () =>
    late.reject(new DeadlineExceededError(`no ticket within ${ticketPatienceMs / 1000} s`)),
  );
  try {
    const { value } = (await Promise.race([messages.next(), late.promise])) as IteratorResult<
      SessionRequest,
      undefined
    >;
    if (value?.message?.$case === 'ticket') return value.message.value;
    throw new InvalidArgumentError('the first message of a session must be its ticket');
  } finally {
    cancel();
  }
}

function toTicket({ kind, namespace, name, uid, secret, size, logs, top }: TicketMessage): SessionTicket {
  return {
    ...{ kind, namespace, name, uid, secret },
    ...(size ? { size } : {}),
    ...(logs ? { logs: toLogChoice(logs) } : {}),
    ...(top ? { top } : {}),
  };
}

async function* inputs(messages: AsyncIterator<SessionRequest>): AsyncGenerator<SessionInput, void> {
  for (;;) {
    const { done, value } = (await messages.next()) as IteratorResult<SessionRequest, undefined>;
    if (done) return;
    const input = toInput(value);
    if (input) yield input;
  }
}

/** A second ticket means nothing. */
function toInput({ message }: SessionRequest): SessionInput | undefined {
  switch (message?.$case) {
    case 'stdin':
      return { kind: 'stdin', data: message.value };
    case 'resize':
      return { kind: 'resize', size: message.value };
    case 'closeStdin':
      return { kind: 'closeStdin' };
    case 'signal':
      return { kind: 'signal', signal: message.value };
    case 'ticket':
    case undefined:
      return undefined;
  }
}

function toReply(output: SessionOutput, clock: Clock): SessionReply | undefined {
  switch (output.kind) {
    case 'started':
      return { message: { $case: 'started', value: { terminal: output.terminal, recorded: output.recorded } } };
    case 'output':
      return { message: { $case: output.stream, value: Buffer.from(output.data) } };
    case 'log': {
      const { time, stream, data } = output.line;
      return { message: { $case: 'log', value: { time, stream, data: Buffer.from(data) } } };
    }
    case 'usage': {
      const usage = toUsage(output.task);
      return usage && { message: { $case: 'usage', value: { monotonicMs: clock.monotonicMs(), tasks: [usage] } } };
    }
    case 'exit':
      return { message: { $case: 'exit', value: { status: output.status, reason: output.reason } } };
  }
}
