import { Server } from '@grpc/grpc-js';
import type { Log } from '#log/log.ts';
import { SessionsService } from './gen/runlet/v1/sessions.ts';
import { Handlers } from './handler.ts';
import { endServer, listenAt } from './listening.ts';
import { sessionsService, type SessionsOptions } from './services/sessions.ts';

export interface SessionServerOptions extends SessionsOptions {
  /** On loopback; port 0 takes a free one. */
  readonly address: { readonly host: string; readonly port: number };
  readonly log: Log;
}

/** Nobody types or is shown more at once, and whoever connects has not been let in yet. */
const largestMessageBytes = 1024 * 1024;
const maxStreamsOfConnection = 16;

/** Serves sessions, and nothing else, on a port of the loopback. */
export class SessionServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #address: SessionServerOptions['address'];

  constructor(options: SessionServerOptions) {
    this.#address = options.address;
    this.#server = new Server({
      'grpc.max_receive_message_length': largestMessageBytes,
      'grpc.max_concurrent_streams': maxStreamsOfConnection,
      'grpc.enable_channelz': 0,
      // A port-forward that died without a word is noticed.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 20_000,
    });
    this.#server.addService(SessionsService, sessionsService(new Handlers(options.log), options));
  }

  /** Begins to listen; resolves with the port. Throws UnavailableError when it is taken. */
  async listen(): Promise<number> {
    const { host, port } = this.#address;
    return await listenAt(this.#server, `${host.includes(':') ? `[${host}]` : host}:${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endServer(this.#server);
  }
}
