import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { CertificateFiles } from './certificates.ts';

export interface ScraperOptions {
  /** PEM file of the authority that is to have signed the server's certificate. */
  readonly ca: string;
  readonly certificate?: CertificateFiles;
  readonly token?: string;
}

/** What an endpoint answered. */
export interface ScrapeAnswer {
  readonly status: number;
  readonly body: string;
  /** Common name of the server's certificate. */
  readonly server: string;
  /** Whether the connection was there already. */
  readonly kept: boolean;
}

/** Somebody who asks an endpoint over TLS and keeps the connection, as Prometheus does; TLS sessions are resumed where they may. */
export class Scraper implements Disposable {
  readonly #options: ScraperOptions;
  readonly #agent: Agent;

  constructor(options: ScraperOptions) {
    this.#options = options;
    const { ca, certificate } = options;
    this.#agent = new Agent({
      ...{ keepAlive: true, maxSockets: 60, ca: readFileSync(ca) },
      ...(certificate ? { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) } : {}),
    });
  }

  /** Asks for one of its pages. Rejects when there is no connection. */
  async ask(url: string, options: { readonly token?: string | undefined } = {}): Promise<ScrapeAnswer> {
    const token = 'token' in options ? options.token : this.#options.token;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return await new Promise((resolve, reject) => {
      const asked = request(url, { agent: this.#agent, headers }, (answer) => {
        const socket = answer.socket as TLSSocket;
        const server = String(socket.getPeerCertificate().subject.CN);
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            ...{ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() },
            ...{ server, kept: asked.reusedSocket },
          }),
        );
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
