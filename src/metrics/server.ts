import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { errorMessage, UnavailableError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import { bearerToken, hasTrustedCertificate, type Authorizer, type Verdict } from './authorizer.ts';
import type { Endpoint } from './endpoint.ts';
import { contentTypes, type Format } from './exposition.ts';
import { acceptsGzip, chooseFormat } from './negotiate.ts';
import { RotatedTls } from './tls.ts';

export interface MetricsServerOptions {
  readonly endpoint: Endpoint;
  /** Answers for `kubernetes` and `jwt`. */
  readonly authorizer?: Authorizer;
  readonly expose: (format: Format) => Promise<Buffer>;
  /** Whether recovery is done and desired state has been read; a text says what is still missing. */
  readonly ready: () => true | string;
  readonly log: Log;
}

const compress = promisify(gzip);

/** A scrape that is not over by then is given up, and an idle connection is closed after it. */
const requestTimeoutMs = 30_000;

/** More connections than any number of scrapers opens. */
const maxConnections = 64;

/** The address that answers `/metrics`, `/healthz` and `/readyz`. */
export class MetricsServer implements AsyncDisposable {
  readonly #options: MetricsServerOptions;
  readonly #server: Server | SecureServer;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = makeServer(options, (request, response) => void this.#answer(request, response));
    this.#server.requestTimeout = requestTimeoutMs;
    this.#server.maxConnections = maxConnections;
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
      else if (path === '/metrics') await this.#metrics(request, response);
      else reply(response, 404, 'there are /metrics, /healthz and /readyz\n');
    } catch (error) {
      this.#options.log.error({ err: error, path }, 'cannot answer a request for metrics');
      if (!response.headersSent)
        reply(response, error instanceof UnavailableError ? 503 : 500, `${errorMessage(error)}\n`);
    }
  }

  #ready(response: ServerResponse): void {
    const ready = this.#options.ready();
    if (ready === true) reply(response, 200, 'ok\n');
    else reply(response, 503, `${ready}\n`);
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
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
    if (endpoint.auth === 'mtls') return hasTrustedCertificate(request.socket) ? 'allowed' : 'unauthenticated';
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) return 'unauthenticated';
    if (!authorizer) throw new UnavailableError(`nobody answers for --metrics-auth ${endpoint.auth}`);
    return await authorizer.authorize({ token, path: '/metrics' });
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

function makeServer({ endpoint, log }: MetricsServerOptions, answer: Handler): Server | SecureServer {
  if (!endpoint.tls) return createServer(answer);
  const tls = new RotatedTls(endpoint.tls);
  // A scraper without a certificate may still ask for /healthz, so the check is made later.
  const clients = endpoint.auth === 'mtls' ? { requestCert: true, rejectUnauthorized: false } : {};
  const server = createSecureServer({ ...tls.read(), ...clients, minVersion: 'TLSv1.2' }, answer);
  server.on('tlsClientError', (_error, socket: Socket) => void socket.destroy());
  server.prependListener('connection', () => {
    if (!tls.changed) return;
    try {
      server.setSecureContext({ ...tls.read(), minVersion: 'TLSv1.2' });
      log.info({ cert: endpoint.tls?.cert }, 'read the certificate of the metrics endpoint anew');
    } catch (error) {
      log.warn({ err: error }, 'cannot read the certificate of the metrics endpoint anew, going on with the old one');
    }
  });
  return server;
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(text);
}
