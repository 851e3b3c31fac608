import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { TokenReviewAuthorizer } from './token-review.ts';

interface Asked {
  readonly path: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

let clock: ManualClock;
let asked: Asked[];
let answers: { authenticated: boolean; allowed: boolean; away: boolean };
let authorizer: TokenReviewAuthorizer;
beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  answers = { authenticated: true, allowed: true, away: false };
  authorizer = new TokenReviewAuthorizer({
    clock,
    client: {
      create: (path, object) => {
        const { spec } = object as Pick<Asked, 'spec'>;
        asked.push({ path, spec });
        if (answers.away) return Promise.reject(new Error('connection refused'));
        const user = { username: 'prometheus', uid: 'u', groups: ['system:authenticated'] };
        return Promise.resolve(
          path.endsWith('tokenreviews')
            ? { status: { authenticated: answers.authenticated, user } }
            : { status: { allowed: answers.allowed } },
        );
      },
    },
  });
});

const authorize = (token?: string) => authorizer.authorize({ path: '/metrics', ...(token ? { token } : {}) });

describe('TokenReviewAuthorizer', () => {
  it('asks whose the token is, and whether they may get the URL', async () => {
    expect(await authorize('t')).toBe('allowed');
    expect(asked).toEqual([
      { path: '/apis/authentication.k8s.io/v1/tokenreviews', spec: { token: 't' } },
      {
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        spec: {
          ...{ user: 'prometheus', uid: 'u', groups: ['system:authenticated'], extra: undefined },
          nonResourceAttributes: { path: '/metrics', verb: 'get' },
        },
      },
    ]);
  });

  it('tells a token that is none from one that may not', async () => {
    answers.authenticated = false;
    expect(await authorize('bad')).toBe('unauthenticated');
    answers = { ...answers, authenticated: true, allowed: false };
    expect(await authorize('good')).toBe('forbidden');
    expect(await authorize()).toBe('unauthenticated');
  });

  it('remembers answers for a while, refusals for less', async () => {
    await authorize('t');
    clock.advance(59_000);
    await authorize('t');
    expect(asked).toHaveLength(2);
    answers.allowed = false;
    clock.advance(1000);
    expect(await authorize('t')).toBe('forbidden');
    answers.allowed = true;
    clock.advance(10_000);
    expect(await authorize('t')).toBe('allowed');
  });

  it('asks once for scrapes that come at once', async () => {
    expect(await Promise.all([authorize('t'), authorize('t')])).toEqual(['allowed', 'allowed']);
    expect(asked).toHaveLength(2);
  });

  it('does not forget who was allowed for the sake of those who were not', async () => {
    await authorize('t');
    answers.authenticated = false;
    for (let count = 0; count < 300; count += 1) await authorize(`bad-${count}`);
    asked = [];
    expect(await authorize('t')).toBe('allowed');
    expect(asked).toEqual([]);
  });

  it('asks for a few tokens at once, however many come', async () => {
    const all = Array.from({ length: 50 }, (_, index) => authorize(`t-${index}`));
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    expect(await authorize('t-49')).toBe('allowed');
  });

  it('does not remember that the cluster was away', async () => {
    answers.away = true;
    await expect(authorize('t')).rejects.toThrow('cannot ask the cluster who may read /metrics: connection refused');
    answers.away = false;
    expect(await authorize('t')).toBe('allowed');
  });
});
