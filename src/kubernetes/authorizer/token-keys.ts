import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from 'jose';
import * as z from 'zod';
import type { Clock } from '#async/clock.ts';
import { withDeadline } from '#async/deadline.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { UnavailableError, errorMessage } from '#errors/errors.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { Verdict } from './verdict-cache.ts';

/** What a token must have been asked for to count here. */
const audience = 'runlet';
const subjects = 'system:serviceaccount:';

/** The only type that API servers give keys in (RFC 7517). */
const jwksType = 'application/jwk-set+json';

/** Keys are asked for anew when a token names one that is not known, at most this often: anybody can name any key. */
const freshMs = 60_000;
/** And after this in any case, so that one that was taken back counts no more. */
const staleMs = 3_600_000;
/** Scrapers wait for 10 s, most of them; a cluster that does not answer by then is away, and its keys are those of before. */
const readTimeoutMs = 4000;
/** What clocks may differ by. */
const clockTolerance = '30s';

const discoverySchema = z.looseObject({ issuer: z.string().min(1) });
const keysSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

const keptSchema = z.looseObject({ ...discoverySchema.shape, keys: keysSchema });

/** The keys as they are kept for times without an API server. */
export interface KeptKeys {
  readonly issuer: string;
  readonly keys: JSONWebKeySet;
}

/** Where they are kept. */
export interface KeptKeysStore {
  load(): Promise<KeptKeys | undefined>;
  save(keys: KeptKeys): Promise<void>;
}

export interface TokenKeysOptions {
  readonly client: Pick<KubernetesClient, 'get'>;
  readonly clock: Clock;
  /** Subjects of the only tokens that count; without any, every service account's do. */
  readonly allow?: readonly string[];
  readonly kept?: KeptKeysStore;
}

interface Keys {
  readonly issuer: string;
  readonly find: ReturnType<typeof createLocalJWKSet>;
  readonly readMs: number;
}

/**
 * Checks tokens of service accounts by the cluster's own keys (OpenID Connect discovery), without asking it at each: works
 * while the API server is away, once the keys are known, also to an agent before this one.
 */
export class TokenKeysAuthorizer {
  readonly #options: TokenKeysOptions;
  readonly #flight = new SingleFlight<'keys', Keys>();
  #keys: Keys | undefined;
  #triedMs = Number.NEGATIVE_INFINITY;

  constructor(options: TokenKeysOptions) {
    this.#options = options;
  }

  /** Throws UnavailableError while no keys could be read. */
  async authorize({ token }: { readonly token?: string }): Promise<Verdict> {
    if (token === undefined) return 'unauthenticated';
    const keys = await this.#current(staleMs);
    const verdict = await this.#check(token, keys);
    if (verdict !== 'unknown key') return verdict;
    const again = await this.#check(token, await this.#current(freshMs));
    return again === 'unknown key' ? 'unauthenticated' : again;
  }

  async #check(token: string, { issuer, find }: Keys): Promise<Verdict | 'unknown key'> {
    try {
      const { payload } = await jwtVerify(token, find, {
        ...{ issuer, audience, clockTolerance, requiredClaims: ['exp', 'sub'] },
        currentDate: new Date(this.#options.clock.nowMs()),
      });
      return this.#mayRead(payload.sub ?? '') ? 'allowed' : 'forbidden';
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
      if (error instanceof errors.JOSEError) return 'unauthenticated';
      throw error;
    }
  }

  #mayRead(subject: string): boolean {
    const { allow = [] } = this.#options;
    return allow.length > 0 ? allow.includes(subject) : subject.startsWith(subjects);
  }

  /** The keys, not older than a time where they can be read; older ones go on counting where they cannot. */
  async #current(ageMs: number): Promise<Keys> {
    const known = this.#keys;
    const nowMs = this.#options.clock.monotonicMs();
    // A cluster that is away is not asked at each scrape: all of them would wait for it.
    if (known && (nowMs - known.readMs < ageMs || nowMs - this.#triedMs < freshMs)) return known;
    try {
      this.#triedMs = nowMs;
      this.#keys = await this.#flight.run('keys', () => this.#read());
    } catch (error) {
      this.#keys ??= await this.#kept();
      if (!this.#keys)
        throw new UnavailableError(`cannot read the cluster's keys for tokens: ${errorMessage(error)}`, {
          cause: error,
        });
    }
    return this.#keys;
  }

  async #read(): Promise<Keys> {
    const { client, kept } = this.#options;
    using deadline = withDeadline(undefined, readTimeoutMs, "reading the cluster's keys");
    const { signal } = deadline;
    const { issuer } = discoverySchema.parse(await client.get('/.well-known/openid-configuration', { signal }));
    const keys = keysSchema.parse(await client.get('/openid/v1/jwks', { signal, accept: jwksType })) as JSONWebKeySet;
    await kept?.save({ issuer, keys }).catch(() => {}); // these count all the same
    return { ...toKeys({ issuer, keys }), readMs: this.#options.clock.monotonicMs() };
  }

  async #kept(): Promise<Keys | undefined> {
    const { success, data } = keptSchema.safeParse(await this.#options.kept?.load());
    // However old they are, the cluster is asked again as soon as it may be.
    return success ? { ...toKeys(data), readMs: Number.NEGATIVE_INFINITY } : undefined;
  }
}

function toKeys({ issuer, keys }: KeptKeys): Omit<Keys, 'readMs'> {
  return { issuer, find: createLocalJWKSet(keys) };
}
