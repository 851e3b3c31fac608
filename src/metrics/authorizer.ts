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

/** The token of an `Authorization` header; undefined where it has none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +([\w.~+/-]+=*)$/i.exec(header?.trim() ?? '')?.[1];
}
