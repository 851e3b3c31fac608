import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { CertificateFiles } from './certificates.ts';

/** A request that came through. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly isWatch: boolean;
}

/** What happens to a request instead of being passed on. */
export type Fault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The connection is cut before an answer. */
  | { readonly kind: 'cut' }
  /** Nothing ever comes. */
  | { readonly kind: 'stall' }
  /** The answer's head comes, then nothing. */
  | { readonly kind: 'silence' }
  /** The answer is cut after the half of its first piece. */
  | { readonly kind: 'cut in the middle' };

export interface FaultProxyOptions {
  /** The server behind, its authority in a PEM file. */
  readonly target: string;
  readonly targetCa: string;
  readonly certificate: CertificateFiles;
}

/** A TLS proxy on loopback in front of a real server, which makes what goes wrong in networks go wrong on demand. */
export class FaultProxy implements AsyncDisposable {
  /** Asked at each request. */
  fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  /** Every request that has come, in order. */
  readonly requests: ProxiedRequest[] = [];
  readonly #options: FaultProxyOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly #agent: Agent;
  #port = 0;

  private constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#agent = new Agent({ ca: readFileSync(options.targetCa), keepAlive: true });
    this.#server = createServer(read(options.certificate), (request, response) => this.#take(request, response));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await proxy.up();
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the port that it had before. */
  async up(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses connections, and cuts those that there are. */
  async down(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Shows another certificate to connections from now on. */
  useCertificate(certificate: CertificateFiles): void {
    this.#server.setSecureContext(read(certificate));
  }

  /** How often a collection has been listed, pages counted. */
  lists(path: string): number {
    return this.requests.filter((one) => one.method === 'GET' && one.path === path && !one.isWatch).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down();
    this.#agent.destroy();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.url);
    const query = Object.fromEntries(url.searchParams);
    const seen = { method: request.method ?? '', path: url.pathname, query, isWatch: 'watch' in query };
    this.requests.push(seen);
    const fault = this.fault(seen);
    if (fault?.kind === 'answer') {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(fault.body ?? JSON.stringify({ kind: 'Status', code: fault.status, message: 'made by the proxy' }));
    } else if (fault?.kind === 'cut') request.socket.destroy();
    else if (fault?.kind !== 'stall') this.#pass(request, response, fault);
  }

  #pass(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void {
    const { method, headers } = request;
    const onward = httpsRequest(
      this.#options.target + (request.url ?? '/'),
      { method, headers: { ...headers, host: new URL(this.#options.target).host }, agent: this.#agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        if (fault?.kind === 'silence') return void answer.resume();
        if (fault?.kind !== 'cut in the middle') return void answer.pipe(response);
        answer.once('data', (piece: Buffer) => {
          response.write(piece.subarray(0, Math.floor(piece.length / 2)), () => request.socket.destroy());
        });
      },
    );
    onward.on('error', () => request.socket.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}

function read({ cert, key }: CertificateFiles): { readonly cert: Buffer; readonly key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}
