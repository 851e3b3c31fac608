import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { TokenKeysAuthorizer } from './token-keys.ts';

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
let away: boolean;
let authorizer: TokenKeysAuthorizer;
beforeEach(() => {
  clock = new ManualClock();
  served = [first];
  reads = 0;
  away = false;
  authorizer = new TokenKeysAuthorizer({
    clock,
    client: {
      get: async (path) => {
        if (away) throw new Error('connection refused');
        if (path.startsWith('/.well-known')) return { issuer };
        reads += 1;
        const keys = served.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' }));
        return { keys: await Promise.all(keys) };
      },
    },
  });
});

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

  it('goes on with the keys that it has while the cluster is away', async () => {
    await verdict(first);
    away = true;
    clock.advance(4_000_000);
    expect(await verdict(first)).toBe('allowed');
  });

  it('says so when it has none', async () => {
    away = true;
    await expect(verdict(first)).rejects.toThrow("cannot read the cluster's keys for tokens: connection refused");
  });
});
