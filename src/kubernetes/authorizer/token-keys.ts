import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from 'jose';
import * as z from 'zod';
import type { Clock } from '#async/clock.ts';
import { SingleFlight } from '#async/single-flight.ts';
import { UnavailableError, errorMessage } from '#errors/errors.ts';
import type { KubernetesClient } from '../client/client.ts';
import type { Verdict } from './verdict-cache.ts';

/** What a token must have been asked for to count here. */
const audience = 'runlet';
const subjects = 'system:serviceaccount:';

/** Keys are asked for anew when a token names one that is not known, at most this often: anybody can name any key. */
const freshMs = 60_000;
/** And after this in any case, so that one that was taken back counts no more. */
const staleMs = 3_600_000;
/** What clocks may differ by. */
const clockTolerance = '30s';

const discoverySchema = z.looseObject({ issuer: z.string().min(1) });
const keysSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

interface Keys {
  readonly issuer: string;
  readonly find: ReturnType<typeof createLocalJWKSet>;
  readonly readMs: number;
}

/**
 * Checks tokens of service accounts by the cluster's own keys (OpenID Connect discovery), without asking it at each: works
 * while the API server is away, once the keys are known.
 */
export class TokenKeysAuthorizer {
  readonly #client: Pick<KubernetesClient, 'get'>;
  readonly #clock: Clock;
  readonly #flight = new SingleFlight<'keys', Keys>();
  #keys: Keys | undefined;

  constructor(options: { readonly client: Pick<KubernetesClient, 'get'>; readonly clock: Clock }) {
    this.#client = options.client;
    this.#clock = options.clock;
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
        currentDate: new Date(this.#clock.nowMs()),
      });
      return payload.sub?.startsWith(subjects) ? 'allowed' : 'forbidden';
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
      if (error instanceof errors.JOSEError) return 'unauthenticated';
      throw error;
    }
  }

  /** The keys, not older than a time where they can be read; older ones go on counting where they cannot. */
  async #current(ageMs: number): Promise<Keys> {
    const known = this.#keys;
    if (known && this.#clock.monotonicMs() - known.readMs < ageMs) return known;
    try {
      this.#keys = await this.#flight.run('keys', () => this.#read());
      return this.#keys;
    } catch (error) {
      if (known) return known;
      throw new UnavailableError(`cannot read the cluster's keys for tokens: ${errorMessage(error)}`, { cause: error });
    }
  }

  async #read(): Promise<Keys> {
    const { issuer } = discoverySchema.parse(await this.#client.get('/.well-known/openid-configuration'));
    const keys = keysSchema.parse(await this.#client.get('/openid/v1/jwks')) as JSONWebKeySet;
    return { issuer, find: createLocalJWKSet(keys), readMs: this.#clock.monotonicMs() };
  }
}
