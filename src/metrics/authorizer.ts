import type { TLSSocket } from 'node:tls';

/** What a scraper shows of itself. */
export interface Scraper {
  /** The bearer token, without its scheme. */
  readonly token?: string;
  readonly path: string;
}

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

/** Says who may read metrics. Another part of the agent answers it, since it takes a cluster's keys or its API. */
export interface Authorizer {
  /** Throws UnavailableError where nobody can be asked now. */
  authorize(scraper: Scraper): Promise<Verdict>;
}

/** Whether a connection showed a certificate of the authorities that the server trusts. */
export function hasTrustedCertificate(socket: object): boolean {
  return (socket as Partial<TLSSocket>).authorized === true;
}

/** The token of an `Authorization` header; undefined where it has none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +([\w.~+/-]+=*)$/i.exec(header?.trim() ?? '')?.[1];
}
