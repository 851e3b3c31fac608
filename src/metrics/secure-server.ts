import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureVersion } from 'node:tls';
import { errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { Connections } from './connections.ts';
import type { EndpointListener } from './endpoint-metrics.ts';
import type { MetricsAuth, TlsFiles } from './endpoint.ts';
import { RotatedTls, type LoadedTls } from './tls.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface SecureServerOptions {
  readonly files: TlsFiles;
  readonly auth: MetricsAuth;
  readonly connections: Connections;
  readonly metrics: EndpointListener;
  readonly log: Log;
}

const minVersion: SecureVersion = 'TLSv1.2';

/** A handshake takes two round trips. */
const handshakeTimeoutMs = 10_000;

/**
 * An HTTPS server that reads its certificate, key and client authorities anew once their files are replaced; while they are
 * wrong it goes on with those that it has. Throws FailedPreconditionError when they are wrong at first.
 */
export function makeSecureServer(
  { files, auth, connections, metrics, log }: SecureServerOptions,
  answer: Handler,
): Server {
  const rotated = new RotatedTls(files);
  let loaded = rotated.read();
  tellLoaded(metrics, loaded);
  // A scraper without a certificate may still ask for /healthz, so what it shows is looked at later.
  const clients = auth === 'mtls' ? { requestCert: true, rejectUnauthorized: false } : {};
  const options = { ...loaded.context, ...clients, minVersion, handshakeTimeout: handshakeTimeoutMs };
  const server = createServer(options, (request, response) => {
    // Asked of each request too: a scraper that keeps its connection makes no new one.
    if (renew() === 'other clients') request.socket.destroy();
    else answer(request, response);
  });
  server.on('tlsClientError', (_error, socket: Socket) => void socket.destroy());
  server.prependListener('connection', () => void renew());
  return server;

  function renew(): 'as before' | 'other clients' {
    try {
      if (!rotated.changed) return 'as before';
      const before = loaded.context.ca;
      loaded = rotated.read();
      server.setSecureContext({ ...loaded.context, minVersion });
      tellLoaded(metrics, loaded);
      log.info({ cert: files.cert }, 'read the certificate of the metrics endpoint anew');
      if (loaded.context.ca === before) return 'as before';
      // Clients are judged when they connect: those whom other authorities let in come again.
      connections.cut();
      return 'other clients';
    } catch (error) {
      metrics.certificateLoad('failed');
      const reason = errorMessage(error);
      log.warn({ reason }, 'cannot read the certificate of the metrics endpoint anew, going on with the old one');
      return 'as before';
    }
  }
}

function tellLoaded(metrics: EndpointListener, { expiresMs, clientCaExpiresMs }: LoadedTls): void {
  metrics.certificateLoad('loaded');
  metrics.certificateExpires('server', expiresMs);
  if (clientCaExpiresMs !== undefined) metrics.certificateExpires('client-ca', clientCaExpiresMs);
}
