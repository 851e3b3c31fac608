import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { TokenKeysAuthorizer, type KeptKeys, type TokenKeysOptions } from './token-keys.ts';

interface Pair {
  readonly kid: string;
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

const issuer = 'https://kubernetes.default.svc';
let first: Pair;
let second: Pair;
beforeAll(async () => {
  first = { kid: 'first', ...(await generateKeyPair('ES256')) };
  second = { kid: 'second', ...(await generateKeyPair('ES256')) };
});

let clock: ManualClock;
let served: readonly Pair[];
let reads: number;
let tries: number;
let away: boolean;
let kept: KeptKeys | undefined;
let authorizer: TokenKeysAuthorizer;
beforeEach(() => {
  clock = new ManualClock();
  served = [first];
  reads = 0;
  tries = 0;
  away = false;
  kept = undefined;
  authorizer = make();
});

function make(more: Partial<TokenKeysOptions> = {}): TokenKeysAuthorizer {
  return new TokenKeysAuthorizer({
    clock,
    kept: {
      load: () => Promise.resolve(kept),
      save: (keys) => {
        kept = keys;
        return Promise.resolve();
      },
    },
    client: {
      get: async (path) => {
        tries += 1;
        if (away) throw new Error('connection refused');
        if (path.startsWith('/.well-known')) return { issuer };
        reads += 1;
        const keys = served.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' }));
        return { keys: await Promise.all(keys) };
      },
    },
    ...more,
  });
}

interface Claims {
  readonly sub?: string;
  readonly aud?: string;
  readonly iss?: string;
  readonly forMs?: number;
}

async function token({ kid, privateKey }: Pair, claims: Claims = {}): Promise<string> {
  const { sub = 'system:serviceaccount:monitoring:prometheus', aud = 'runlet', iss = issuer, forMs = 600_000 } = claims;
  return await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid })
    .setSubject(sub)
    .setAudience(aud)
    .setIssuer(iss)
    .setExpirationTime(new Date(clock.nowMs() + forMs))
    .sign(privateKey);
}

const verdict = async (pair: Pair, claims?: Claims) => await authorizer.authorize({ token: await token(pair, claims) });

describe('TokenKeysAuthorizer', () => {
  it('lets holders of a token for this audience in', async () => {
    expect(await verdict(first)).toBe('allowed');
    expect(await verdict(first)).toBe('allowed');
    expect(reads).toBe(1);
  });

  it.each<[string, Claims]>([
    ['another audience', { aud: 'vault' }],
    ['another issuer', { iss: 'https://elsewhere' }],
    ['the past', { forMs: -60_000 }],
  ])('keeps those of a token for %s out', async (_what, claims) => {
    expect(await verdict(first, claims)).toBe('unauthenticated');
  });

  it('keeps out what is no token, what is not signed by a key of the cluster, and who is no service account', async () => {
    expect(await authorizer.authorize({ token: 'x.y.z' })).toBe('unauthenticated');
    expect(await authorizer.authorize({})).toBe('unauthenticated');
    expect(await verdict({ ...second, kid: 'first' })).toBe('unauthenticated');
    expect(await verdict(first, { sub: 'jane' })).toBe('forbidden');
  });

  it('reads the keys anew for one that is not known, but not at every try', async () => {
    await verdict(first);
    served = [first, second];
    expect(await verdict(second)).toBe('unauthenticated');
    expect(reads).toBe(1);
    clock.advance(60_000);
    expect(await verdict(second)).toBe('allowed');
    expect(reads).toBe(2);
  });

  it('goes on with the keys that it has while the cluster is away, and asks for others now and then', async () => {
    await verdict(first);
    away = true;
    clock.advance(4_000_000);
    tries = 0;
    for (let scrape = 0; scrape < 5; scrape += 1) {
      expect(await verdict(first)).toBe('allowed');
      clock.advance(10_000);
    }
    // A cluster behind a broken network takes its time to be away: not each scrape may wait for it.
    expect(tries).toBe(1);
    clock.advance(10_000);
    expect(await verdict(first)).toBe('allowed');
    expect(tries).toBe(2);
    away = false;
    served = [second];
    clock.advance(60_000);
    expect(await verdict(first)).toBe('unauthenticated');
    expect(await verdict(second)).toBe('allowed');
  });

  it('takes the keys that a former agent kept while the cluster is away, and the newest as soon as it is back', async () => {
    await verdict(first);
    away = true;
    authorizer = make();
    expect(await verdict(first)).toBe('allowed');
    expect(await verdict(second)).toBe('unauthenticated');
    away = false;
    served = [second];
    clock.advance(60_000);
    expect(await verdict(second)).toBe('allowed');
    expect(await verdict(first)).toBe('unauthenticated');
  });

  it('does not take what was kept for keys when it is none', async () => {
    away = true;
    kept = { issuer, keys: 'none' } as unknown as KeptKeys;
    await expect(verdict(first)).rejects.toThrow("cannot read the cluster's keys");
  });

  it('lets in the subjects that are named, and nobody else', async () => {
    authorizer = make({ allow: ['system:serviceaccount:monitoring:prometheus'] });
    expect(await verdict(first)).toBe('allowed');
    expect(await verdict(first, { sub: 'system:serviceaccount:monitoring:prometheus2' })).toBe('forbidden');
    expect(await verdict(first, { sub: 'system:serviceaccount:default:prometheus' })).toBe('forbidden');
  });

  it('says so when it has none', async () => {
    away = true;
    await expect(verdict(first)).rejects.toThrow("cannot read the cluster's keys for tokens: connection refused");
  });
});
