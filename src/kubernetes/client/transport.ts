import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '#async/clock.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { CancelledError, errorMessage, RunletError, UnavailableError } from '#errors/errors.ts';
import { resetAbandonedStreams } from './abandoned-streams.ts';
import { readMaterial, readTlsSettings, type ClusterAccess, type TlsSettings } from './access.ts';

/** A request as it is sent. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From the server's root, query included. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** What the answer may be; JSON by default. */
  readonly accept?: string;
  readonly signal: AbortSignal;
}

/** An answer whose body is still to be read; who does not read it destroys it. */
export interface TransportAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The server's time, as HTTP has it; absent where it does not say. */
  readonly date?: string | undefined;
  readonly body: Dispatcher.ResponseData['body'];
}

/** Credentials in files are read again when they are as old as this; kubelet renews a token at 80 % of its hour. */
const rereadAfterMs = 10_000;
const connectTimeoutMs = 10_000;
/** One for each watch, and some for what is asked beside. */
const maxConnections = 16;

/** Connections to one API server: few, kept open, made anew with the certificates and tokens of the moment. */
export class Transport implements AsyncDisposable {
  readonly #access: ClusterAccess;
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #reading = new SingleFlight<'credentials', Credentials>();
  #credentials: Credentials | undefined;
  #closed = false;

  constructor(options: { readonly access: ClusterAccess; readonly clock: Clock }) {
    this.#access = options.access;
    this.#url = new URL(options.access.server);
    this.#clock = options.clock;
  }

  get server(): string {
    return this.#access.server;
  }

  /**
   * Sends a request and returns when the answer's headers are there. A 401 is asked once more if another token has come
   * meanwhile. Throws UnavailableError when there is no answer, CancelledError or the signal's own error when it aborts.
   */
  async send(request: TransportRequest): Promise<TransportAnswer> {
    const credentials = await this.#current(rereadAfterMs);
    const answer = await this.#sendWith(credentials, request);
    if (answer.status !== 401) return answer;
    const newer = await this.#current(0).catch(() => credentials);
    if (newer.token === credentials.token && newer.agent === credentials.agent) return answer;
    await discard(answer);
    return await this.#sendWith(newer, request);
  }

  /** Cuts every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#credentials?.agent.destroy();
  }

  async #sendWith({ agent, token }: Credentials, request: TransportRequest): Promise<TransportAnswer> {
    const { method, path, body, contentType, accept = 'application/json', signal } = request;
    try {
      const answer = await agent.request({
        origin: this.#url.origin,
        method,
        path: this.#url.pathname.replace(/\/$/, '') + path,
        signal,
        headers: {
          accept,
          'user-agent': 'runlet-agent',
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(contentType ? { 'content-type': contentType } : {}),
        },
        ...(body === undefined ? {} : { body }),
      });
      return {
        status: answer.statusCode,
        body: answer.body,
        retryAfter: headerOf(answer, 'retry-after'),
        date: headerOf(answer, 'date'),
      };
    } catch (error) {
      throw connectionError(`${method} ${this.#access.server}${path.split('?')[0]}`, error, signal);
    }
  }

  async #current(maxAgeMs: number): Promise<Credentials> {
    if (this.#closed) throw new CancelledError('the connection to the API server has been closed');
    const known = this.#credentials;
    if (known && this.#clock.monotonicMs() - known.readAtMs < maxAgeMs) return known;
    return await this.#reading.run('credentials', () => this.#read());
  }

  /** Reads them anew. When they cannot be read now, because a volume is being renewed, the known ones are good for more. */
  async #read(): Promise<Credentials> {
    const known = this.#credentials;
    try {
      const settings = await readTlsSettings(this.#access);
      const token = this.#access.token && (await readMaterial(this.#access.token)).trim();
      const same = known && JSON.stringify(known.settings) === JSON.stringify(settings);
      // What is under way on the old connections ends there; close() waits for it, so it is not waited for here.
      if (known && !same) void known.agent.close().catch(() => {});
      const agent = same ? known.agent : makeAgent(settings);
      this.#credentials = { settings, token, agent, readAtMs: this.#clock.monotonicMs() };
      return this.#credentials;
    } catch (error) {
      if (!known) throw error;
      return known;
    }
  }
}

interface Credentials {
  readonly settings: TlsSettings;
  readonly token: string | undefined;
  readonly agent: Agent;
  readonly readAtMs: number;
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Reads nothing more of an answer. */
export async function discard(answer: TransportAnswer): Promise<void> {
  await answer.body.dump({ limit: 65_536 }).catch(() => {});
}

/** What a failed request or a broken answer means to callers. */
export function connectionError(what: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted)
    return signal.reason instanceof RunletError
      ? signal.reason
      : new CancelledError(`${what}: given up`, { cause: signal.reason });
  return new UnavailableError(`${what}: ${errorMessage(error)}`, { cause: error });
}

function makeAgent(settings: TlsSettings): Agent {
  resetAbandonedStreams();
  return new Agent({
    connections: maxConnections,
    // Watches say nothing for minutes: whoever reads an answer watches over its time itself.
    bodyTimeout: 0,
    headersTimeout: 60_000,
    keepAliveTimeout: 60_000,
    connect: { ...settings, timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 15_000 },
  });
}
