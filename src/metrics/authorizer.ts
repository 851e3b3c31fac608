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

/**
 * Judges the certificate that a connection showed: it must be of the authorities that the server trusts, which was looked at
 * when the connection was made, and still count now.
 */
export function judgeCertificate(socket: object, nowMs: number): Verdict {
  const { authorized, getPeerX509Certificate } = socket as Partial<TLSSocket>;
  // A session that is resumed without any certificate is nobody's, whatever the TLS library makes of it.
  const certificate = authorized === true ? getPeerX509Certificate?.call(socket as TLSSocket) : undefined;
  return certificate && nowMs < Date.parse(certificate.validTo) ? 'allowed' : 'unauthenticated';
}

/** The token of an `Authorization` header; undefined where it has none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +([\w.~+/-]+=*)$/i.exec(header?.trim() ?? '')?.[1];
}
