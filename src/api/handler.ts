import {
  Metadata,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import { CancelledError, FailedPreconditionError, errorCode, errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import { parseNamespace, type Namespace } from '#task/ids.ts';
import { toStatus } from './status.ts';

/** A call as our services see it. */
export interface Call {
  /** The namespace that the client names in its metadata. Throws FailedPreconditionError where it names none. */
  namespace(): Namespace;
  /** Sends the headers of a stream's answer now, so that its client knows that it has begun; else they go with the first reply. */
  begin(): void;
  /** Aborts when the client goes away or its time is over. */
  readonly signal: AbortSignal;
}

interface Cancellable {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  sendMetadata(metadata: Metadata): void;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** Turns our functions into grpc-js' handlers: one place for cancelling, error codes and the log line of each change. */
export class Handlers {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A call that only reads. */
  read<Q, R>(work: (request: Q, call: Call) => Promise<R> | R): handleUnaryCall<Q, R> {
    return (call, answer) => {
      const served = new ServedCall(call);
      void settle(() => work(call.request, served)).then((outcome) => {
        served.over();
        if ('value' in outcome) answer(null, outcome.value);
        else answer(toStatus(outcome.error));
        return undefined;
      });
    };
  }

  /** A call that changes something: it leaves one log line. */
  change<Q extends object, R>(verb: string, work: (request: Q, call: Call) => Promise<R>): handleUnaryCall<Q, R> {
    return this.read(async (request: Q, call) => await this.logged(verb, request, call, () => work(request, call)));
  }

  /** A call that answers with a stream. */
  stream<Q extends object, R>(
    verb: string | undefined,
    work: (request: Q, call: Call, send: (reply: R) => Promise<void>) => Promise<void>,
  ): handleServerStreamingCall<Q, R> {
    return (stream) => {
      const call = new ServedCall(stream);
      const run = () => work(stream.request, call, sender(stream, call.signal));
      void settle(verb === undefined ? run : () => this.logged(verb, stream.request, call, run)).then((outcome) =>
        finish(stream, outcome),
      );
    };
  }

  /** A call with a stream each way. */
  duplex<Q, R>(
    work: (requests: AsyncIterable<Q>, call: Call, send: (reply: R) => Promise<void>) => Promise<void>,
  ): handleBidiStreamingCall<Q, R> {
    return (stream: ServerDuplexStream<Q, R>) => {
      const call = new ServedCall(stream);
      stream.on('error', () => {}); // the client has gone; the signal says so
      void settle(() => work(stream as AsyncIterable<Q>, call, sender(stream, call.signal))).then((outcome) =>
        finish(stream, outcome),
      );
    };
  }

  /** Runs a change and says in one line what became of it. */
  async logged<R>(verb: string, request: object, call: Call, work: () => Promise<R>): Promise<R> {
    const startedAt = performance.now();
    const facts = { verb, ...subject(request, call) };
    const durationMs = () => Math.round((performance.now() - startedAt) * 100) / 100;
    try {
      const result = await work();
      this.#log.info({ ...facts, durationMs: durationMs() }, 'api call done');
      return result;
    } catch (error) {
      const level = errorCode(error) === 'internal' ? 'warn' : 'info';
      this.#log[level](
        { ...facts, durationMs: durationMs(), code: errorCode(error), reason: errorMessage(error) },
        'api call refused',
      );
      throw error;
    }
  }
}

type Outcome<R> = { readonly value: R } | { readonly error: unknown };

async function settle<R>(work: () => Promise<R> | R): Promise<Outcome<R>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

function finish<Q, R>(stream: ServerWritableStream<Q, R> | ServerDuplexStream<Q, R>, outcome: Outcome<void>): void {
  if ('value' in outcome) stream.end();
  else stream.emit('error', toStatus(outcome.error));
}

/** Sends and waits while the client is behind. */
function sender<R>(
  stream: { write(reply: R): boolean } & NodeJS.EventEmitter,
  signal: AbortSignal,
): (reply: R) => Promise<void> {
  return async (reply) => {
    if (signal.aborted) throw new CancelledError('the client has gone');
    if (!stream.write(reply)) await once(stream, 'drain', { signal });
  };
}

/** A call of grpc-js as ours. Its signal is made when somebody asks for it: most calls are over before anybody could give up. */
class ServedCall implements Call {
  readonly #call: Cancellable;
  #controller: AbortController | undefined;
  #over = false;

  constructor(call: Cancellable) {
    this.#call = call;
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const abort = () => {
      if (!this.#over) controller.abort(new CancelledError('the client has gone or its time is over'));
    };
    if (this.#call.cancelled) abort();
    else this.#call.on('cancelled', abort);
    return controller.signal;
  }

  namespace(): Namespace {
    return namespaceOf(this.#call.metadata);
  }

  begin(): void {
    this.#call.sendMetadata(new Metadata());
  }

  /** There is nothing left to give up: grpc-js says of calls that were answered too that they are cancelled. */
  over(): void {
    this.#over = true;
  }
}

function namespaceOf(metadata: Metadata): Namespace {
  const [name] = metadata.get('containerd-namespace');
  if (name === undefined) throw new FailedPreconditionError('namespace is required: failed precondition');
  return parseNamespace(String(name));
}

/** Names only: never specifications, environments or labels. */
function subject(request: object, call: Call): Record<string, unknown> {
  const facts: Record<string, unknown> = {};
  for (const name of ['namespace', 'id', 'containerId', 'execId', 'signal', 'reference', 'name', 'force']) {
    const value: unknown = name in request ? (request as Record<string, unknown>)[name] : undefined;
    if (typeof value === 'string' ? value !== '' : typeof value === 'number' || value === true) facts[name] = value;
  }
  try {
    facts['namespace'] ??= call.namespace();
  } catch {
    // a call without a namespace
  }
  return facts;
}
