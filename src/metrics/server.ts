import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { errorMessage, UnavailableError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import { bearerToken, type Authorizer, type Verdict } from './authorizer.ts';
import { judgeCertificate } from './client-certificate.ts';
import { Connections } from './connections.ts';
import { noEndpointMetrics, type EndpointListener } from './endpoint-metrics.ts';
import type { Endpoint } from './endpoint.ts';
import { contentTypes, type Format } from './exposition.ts';
import { acceptsGzip, chooseFormat } from './negotiate.ts';
import { makeSecureServer, type Handler } from './secure-server.ts';

export interface MetricsServerOptions {
  readonly endpoint: Endpoint;
  /** Answers for `kubernetes` and `jwt`. */
  readonly authorizer?: Authorizer;
  readonly expose: (format: Format) => Promise<Buffer>;
  /** Whether recovery is done and desired state has been read; a text says what is still missing. */
  readonly ready: () => true | string;
  /** What an administrator should know although all works; nothing that others may not read. */
  readonly notes?: () => readonly string[];
  /** Counts what is answered. */
  readonly metrics?: EndpointListener;
  readonly log: Log;
}

const compress = promisify(gzip);

/** A request that has not come in whole by then is given up; its head must have come sooner. */
const requestTimeoutMs = 30_000;
const headersTimeoutMs = 10_000;

/** A scraper that comes once a minute keeps its connection, which spares both a handshake. */
const keepAliveTimeoutMs = 90_000;

/** More connections than any number of scrapers opens. */
const maxConnections = 128;

/** An answer that could not be given is logged once in this time: anybody may ask, as often as they like. */
const failureLogMs = 60_000;

/** The address that answers `/metrics`, `/healthz` and `/readyz`. */
export class MetricsServer implements AsyncDisposable {
  readonly #options: MetricsServerOptions;
  readonly #server: Server | SecureServer;
  readonly #metrics: EndpointListener;
  #failureLoggedMs = Number.NEGATIVE_INFINITY;

  /** Throws FailedPreconditionError when certificate, key or authorities cannot be used. */
  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? noEndpointMetrics;
    const connections = new Connections(maxConnections);
    this.#server = makeServer(options, connections, (request, response) => void this.#answer(request, response));
    this.#server.requestTimeout = requestTimeoutMs;
    this.#server.headersTimeout = headersTimeoutMs;
    this.#server.keepAliveTimeout = keepAliveTimeoutMs;
    this.#server.on('connection', (socket: Socket) => connections.add(socket));
  }

  /** Listens; returns where, which tells the port that was taken for 0. Throws UnavailableError. */
  async listen(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port } = this.#options.endpoint;
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw new UnavailableError(`cannot listen on ${host}:${port} for metrics: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0];
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        reply(response, 405, 'only GET is answered\n');
      } else if (path === '/healthz') reply(response, 200, 'ok\n');
      else if (path === '/readyz') this.#ready(response);
      else if (path === '/metrics') await this.#scrape(request, response);
      else reply(response, 404, 'there are /metrics, /healthz and /readyz\n');
    } catch (error) {
      this.#failed(error, path);
      // Not what went wrong, which names addresses of the cluster to whoever asks.
      if (!response.headersSent) reply(response, 503, 'not to be had now; the log of the agent says why\n');
    }
    if (path === '/metrics') this.#metrics.answered(response.statusCode);
  }

  #failed(error: unknown, path: string | undefined): void {
    const nowMs = performance.now();
    if (nowMs - this.#failureLoggedMs < failureLogMs) return;
    this.#failureLoggedMs = nowMs;
    if (error instanceof UnavailableError) {
      this.#options.log.warn({ path, reason: errorMessage(error) }, 'cannot answer a request for metrics for now');
    } else this.#options.log.error({ err: error, path }, 'cannot answer a request for metrics');
  }

  #ready(response: ServerResponse): void {
    const ready = this.#options.ready();
    const notes = (this.#options.notes?.() ?? []).map((note) => `note: ${note}\n`).join('');
    if (ready === true) reply(response, 200, `ok\n${notes}`);
    else reply(response, 503, `${ready}\n${notes}`);
  }

  async #scrape(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verdict = await this.#authorize(request);
    if (verdict !== 'allowed') {
      if (verdict === 'unauthenticated') response.setHeader('www-authenticate', 'Bearer');
      reply(response, verdict === 'forbidden' ? 403 : 401, `${verdict}\n`);
      return;
    }
    const format = chooseFormat(request.headers.accept);
    const body = await this.#options.expose(format);
    response.setHeader('content-type', contentTypes[format]);
    response.setHeader('vary', 'accept, accept-encoding');
    if (!acceptsGzip(request.headers['accept-encoding'])) {
      response.end(body);
      return;
    }
    response.setHeader('content-encoding', 'gzip');
    // Level 1 halves the time of the default and gives 5 % more bytes on this text.
    response.end(await compress(body, { level: 1 }));
  }

  async #authorize(request: IncomingMessage): Promise<Verdict> {
    const { endpoint, authorizer } = this.#options;
    if (endpoint.auth === 'none') return 'allowed';
    if (endpoint.auth === 'mtls') return judgeCertificate(request.socket, endpoint.allow, Date.now());
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) return 'unauthenticated';
    if (!authorizer) throw new UnavailableError(`nobody answers for --metrics-auth ${endpoint.auth}`);
    return await authorizer.authorize({ token, path: '/metrics' });
  }
}

function makeServer(
  { endpoint, metrics = noEndpointMetrics, log }: MetricsServerOptions,
  connections: Connections,
  answer: Handler,
): Server | SecureServer {
  const { tls: files, auth } = endpoint;
  return files ? makeSecureServer({ files, auth, connections, metrics, log }, answer) : createServer(answer);
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(text);
}
