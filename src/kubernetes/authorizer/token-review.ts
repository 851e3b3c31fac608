import * as z from 'zod';
import type { Clock } from '#async/clock.ts';
import { withDeadline } from '#async/deadline.ts';
import { UnavailableError, errorMessage } from '#errors/errors.ts';
import type { KubernetesClient } from '../client/client.ts';
import { VerdictCache, type Verdict } from './verdict-cache.ts';

const reviewSchema = z.looseObject({
  status: z.looseObject({
    authenticated: z.boolean().optional(),
    user: z
      .looseObject({
        username: z.string().optional(),
        uid: z.string().optional(),
        groups: z.array(z.string()).optional(),
        extra: z.record(z.string(), z.array(z.string())).optional(),
      })
      .optional(),
  }),
});

const accessSchema = z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) });

/** Scrapers wait for 10 s, most of them; a cluster that does not answer by then is away. */
const askTimeoutMs = 8000;

/**
 * Asks the cluster whose a token is (TokenReview) and whether they may `get` the non-resource URL (SubjectAccessReview).
 * Answers are remembered for a while.
 */
export class TokenReviewAuthorizer {
  readonly #client: Pick<KubernetesClient, 'create'>;
  readonly #cache: VerdictCache;

  constructor(options: { readonly client: Pick<KubernetesClient, 'create'>; readonly clock: Clock }) {
    this.#client = options.client;
    this.#cache = new VerdictCache(options.clock);
  }

  /** Throws UnavailableError when the cluster cannot be asked or does not let us ask. */
  async authorize({ token, path }: { readonly token?: string; readonly path: string }): Promise<Verdict> {
    if (token === undefined) return 'unauthenticated';
    try {
      return await this.#cache.get(token, () => this.#ask(token, path));
    } catch (error) {
      throw new UnavailableError(`cannot ask the cluster who may read ${path}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  async #ask(token: string, path: string): Promise<Verdict> {
    using deadline = withDeadline(undefined, askTimeoutMs, 'the review of a token');
    const create = async (where: string, object: object) =>
      await this.#client.create(where, object, { signal: deadline.signal });
    const { status } = reviewSchema.parse(
      await create('/apis/authentication.k8s.io/v1/tokenreviews', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token },
      }),
    );
    if (status.authenticated !== true || !status.user) return 'unauthenticated';
    const { username, uid, groups, extra } = status.user;
    const access = accessSchema.parse(
      await create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user: username, uid, groups, extra, nonResourceAttributes: { path, verb: 'get' } },
      }),
    );
    return access.status.allowed ? 'allowed' : 'forbidden';
  }
}
