import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Reply = (response: ServerResponse, request: SeenRequest) => void;

/** An HTTP server on loopback that answers the next request by the next reply; one past the last is never answered. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly #replies: Reply[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #server = createServer((request, response) => void this.#take(request, response));

  /** Listens on a free port. */
  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    await new Promise<void>((resolve) => void server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Adds replies; a request that waits for one gets it. */
  reply(...replies: readonly Reply[]): this {
    this.#replies.push(...replies);
    for (const go of this.#waiting.splice(0)) go();
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => void this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const body = await readText(request);
    const seen = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body,
    };
    this.requests.push(seen);
    let reply = this.#replies.shift();
    while (!reply) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
      reply = this.#replies.shift();
    }
    reply(response, seen);
  }
}

/** Answers with JSON. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
}

/** Answers with an error as Kubernetes writes it. */
export function failure(
  status: number,
  reason: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  // a server that knows of an object that it is not there names it
  const details = status === 404 ? { details: { name: 'it', kind: 'things' } } : {};
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status, ...details };
  return json(body, status, headers);
}

/** A list as Kubernetes writes it. */
export function list(resourceVersion: string, items: readonly unknown[], next?: string): Reply {
  return json({ kind: 'List', metadata: { resourceVersion, ...(next ? { continue: next } : {}) }, items });
}

/** A watch that stays open after what it has said, until it is told to go on. */
export class OpenWatch {
  #response: ServerResponse | undefined;
  readonly #begun: Promise<void>;
  #begin: () => void = () => {};

  constructor() {
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  /** The reply that opens it. */
  readonly reply: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.#response = response;
    this.#begin();
  };

  /** Says something, as soon as somebody listens. */
  async say(text: string): Promise<void> {
    await this.#begun;
    await new Promise((resolve) => void this.#response?.write(text, resolve));
  }

  async event(type: string, object: unknown): Promise<void> {
    await this.say(`${JSON.stringify({ type, object })}\n`);
  }

  /** Ends it as a server does whose time is over. */
  async end(): Promise<void> {
    await this.#begun;
    this.#response?.end();
  }

  /** Cuts the connection. */
  async cut(): Promise<void> {
    await this.#begun;
    this.#response?.destroy();
  }
}
