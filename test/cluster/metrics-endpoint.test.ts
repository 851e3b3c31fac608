import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TokenKeysAuthorizer } from '#kubernetes/authorizer/token-keys.ts';
import { TokenReviewAuthorizer } from '#kubernetes/authorizer/token-review.ts';
import { KubernetesClient } from '#kubernetes/client/client.ts';
import { Transport } from '#kubernetes/client/transport.ts';
import { systemClock, type Clock } from '#async/clock.ts';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { agentUser, startApiServer, type ApiServer } from '../support/api-server.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { render, type Rendered } from '../support/helm.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { Scraper } from '../support/scraper.ts';
import {
  dropOldKeys,
  rotateKeys,
  forgeTokens,
  issueToken,
  makeServiceAccount,
  readToken,
  signToken,
} from '../support/service-accounts.ts';

const monitoring = 'monitoring';
const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';
const accessReviews = '/apis/authorization.k8s.io/v1/subjectaccessreviews';

let server: ApiServer;
let proxy: FaultProxy;
let skippedMs = 0;
/** The time of the machine, but what is waited for passes when the test says so. */
const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
/** Speaks with the API server as the agents do, through the proxy. */
let transport: Transport;
let client: KubernetesClient;
const nodes: AgentNode[] = [];

beforeAll(async () => {
  server = await startApiServer({ kind: 'plain' });
  const certificate = server.authority.sign('proxy', '/CN=proxy');
  proxy = await FaultProxy.start({ target: server.url, targetCa: server.caFile, certificate });
  for (const name of ['prometheus', 'stranger']) await makeServiceAccount(server, monitoring, name);
  // The rights of the agent and of whoever scrapes are those that the chart gives.
  for (const object of (await render(33)).filter(isRole))
    await server.kubectl(['apply', '-f', '-'], JSON.stringify(object));
  await server.kubectl([
    ...['create', 'clusterrolebinding', 'scraper', '--clusterrole=runlet-metrics'],
    `--serviceaccount=${monitoring}:prometheus`,
  ]);
  const access = { server: proxy.url, insecure: false, ca: { file: server.caFile }, token: { text: agentUser.token } };
  transport = new Transport({ access, clock: systemClock });
  client = new KubernetesClient({ transport, clock: systemClock });
});

afterEach(() => {
  proxy.fault = () => undefined;
});

afterAll(async () => {
  for (const node of nodes) await node.clean();
  await transport?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

function isRole({ kind }: Rendered): boolean {
  return kind === 'ClusterRole' || kind === 'ClusterRoleBinding';
}

interface SecureAgent {
  readonly node: AgentNode;
  readonly url: string;
  /** Asks /metrics with a token on a connection that is kept; resolves with the status. */
  scrape(token?: string): Promise<number>;
  /** The same, on a connection of its own. */
  page(path: string, token?: string): Promise<number>;
  readonly agent: RunningAgent;
  /** Kills the agent and starts another one. */
  restart(): Promise<void>;
}

/** An agent off loopback that follows the cluster through the proxy. */
async function startAgent(auth: 'kubernetes' | 'jwt', more: readonly string[] = []): Promise<SecureAgent> {
  const node = makeAgentNode();
  nodes.push(node);
  const { cert, key } = server.authority.sign(`endpoint-${nodes.length}`, '/CN=endpoint');
  const flags = [
    ...['--kubeconfig', server.kubeconfig(agentUser, proxy.url), '--log-level', 'debug'],
    ...['--metrics-address', '0.0.0.0:0', '--metrics-auth', auth],
    ...['--metrics-tls-cert', cert, '--metrics-tls-key', key, ...more],
  ];
  let agent = await node.start({ flags });
  const scraper = new Scraper({ ca: server.caFile });
  const url = () => agent.metricsUrl.replace('0.0.0.0', '127.0.0.1');
  return {
    node,
    get agent() {
      return agent;
    },
    get url() {
      return url();
    },
    scrape: async (token) => (await scraper.ask(`${url()}/metrics`, { token })).status,
    page: async (path, token) => {
      using another = new Scraper({ ca: server.caFile });
      return (await another.ask(url() + path, { token })).status;
    },
    restart: async () => {
      await agent.stop('SIGKILL');
      agent = await node.start({ flags });
    },
  };
}

/** How many requests have come to a path of the API server since a moment. */
function asked(path: string, since = 0): number {
  return proxy.requests.slice(since).filter((request) => request.path === path).length;
}

/** A fresh token of an account, for the API server or another audience. */
const tokenOf = async (name: string, ...audiences: string[]) => await issueToken(server, monitoring, name, audiences);

/** Tokens that the test has shown to an agent: none of them may stand in a log. */
const shown: string[] = [];
function show(token: string): string {
  shown.push(token);
  return token;
}

function expectSecret({ agent }: SecureAgent): void {
  const log = agent.log();
  expect(log).toContain('"level"');
  for (const token of [...shown, agentUser.token]) expect(log).not.toContain(token);
  expect(log).not.toMatch(/bearer/i);
}

describe('--metrics-auth kubernetes', () => {
  let secure: SecureAgent;
  beforeAll(async () => {
    secure = await startAgent('kubernetes');
  });

  it('lets in whose token the cluster knows and whom it lets get /metrics, and nobody else', async () => {
    const good = show(await tokenOf('prometheus'));
    expect(await secure.scrape(good)).toBe(200);
    expect(await secure.scrape(show(await tokenOf('stranger')))).toBe(403);
    expect(await secure.scrape()).toBe(401);
    expect(await secure.scrape(show(randomBytes(24).toString('base64url')))).toBe(401);
    const { header, claims } = readToken(good);
    const pastSeconds = Math.floor(Date.now() / 1000) - 3600;
    const over = { ...claims, iat: pastSeconds - 600, nbf: pastSeconds - 600, exp: pastSeconds };
    expect(await secure.scrape(show(signToken(server, { header, claims: over })))).toBe(401);
    // The same but for its time: what is refused is that.
    const young = { ...claims, exp: Math.floor(Date.now() / 1000) + 1200 };
    expect(await secure.scrape(show(signToken(server, { header, claims: young })))).toBe(200);
    for (const [how, forged] of Object.entries(forgeTokens(server, { header, claims }))) {
      expect(await secure.scrape(show(forged)), how).toBe(401);
    }
    expect(await secure.scrape(show(await tokenOf('prometheus', 'vault')))).toBe(401);
  });

  it('asks the cluster once for a token, also when fifty come at once', async () => {
    const since = proxy.requests.length;
    const token = show(await tokenOf('prometheus'));
    const scrapers = Array.from({ length: 50 }, () => secure.page('/metrics', token));
    expect(new Set(await Promise.all(scrapers))).toEqual(new Set([200]));
    for (let round = 0; round < 10; round += 1) expect(await secure.scrape(token)).toBe(200);
    const unknown = show('no-token-of-anybody');
    for (let round = 0; round < 5; round += 1) expect(await secure.scrape(unknown)).toBe(401);
    expect({ reviews: asked(reviews, since), access: asked(accessReviews, since) }).toEqual({ reviews: 2, access: 1 });
  });

  it('goes on letting in whom it knows while the cluster is away or says nothing, and tells others to come again', async () => {
    const known = show(await tokenOf('prometheus'));
    const young = show(await tokenOf('prometheus'));
    expect(await secure.scrape(known)).toBe(200);
    await proxy.down();
    try {
      expect(await secure.scrape(known)).toBe(200);
      expect(await secure.scrape(young)).toBe(503);
      for (const path of ['/healthz', '/readyz']) expect(await secure.page(path)).toBe(200);
    } finally {
      await proxy.up();
    }
    expect(await secure.scrape(young)).toBe(200);
    // A cluster that takes the question and does not answer: the scraper hears of it before it gives up itself.
    const late = show(await tokenOf('prometheus'));
    proxy.fault = ({ path }) => (path === reviews ? { kind: 'stall' } : undefined);
    const startMs = performance.now();
    const waiting = secure.page('/metrics', late);
    expect(await secure.scrape(known)).toBe(200);
    for (const path of ['/healthz', '/readyz']) expect(await secure.page(path)).toBe(200);
    expect(await waiting).toBe(503);
    expect(performance.now() - startMs).toBeGreaterThan(1000);
    proxy.fault = () => undefined;
    expect(await secure.scrape(late)).toBe(200);
    const said = secure.agent.logLines().filter(({ msg }) => String(msg).startsWith('cannot answer a request'));
    expect(said.length).toBeGreaterThan(0);
    expect(said[0]).toMatchObject({
      level: 40,
      reason: expect.stringContaining('cannot ask the cluster who may read'),
    });
    expectSecret(secure);
  });

  it('asks again after a minute, and hears what has changed', async () => {
    const authorizer = new TokenReviewAuthorizer({ client, clock });
    const token = await tokenOf('prometheus');
    const verdict = async () => await authorizer.authorize({ token, path: '/metrics' });
    expect(await verdict()).toBe('allowed');
    await server.kubectl(['delete', 'clusterrolebinding', 'scraper']);
    skippedMs += 59_000;
    const since = proxy.requests.length;
    expect(await verdict()).toBe('allowed');
    expect(asked(reviews, since)).toBe(0);
    skippedMs += 2000;
    expect(await verdict()).toBe('forbidden');
    await server.kubectl([
      ...['create', 'clusterrolebinding', 'scraper', '--clusterrole=runlet-metrics'],
      `--serviceaccount=${monitoring}:prometheus`,
    ]);
    // A refusal counts for ten seconds.
    expect(await verdict()).toBe('forbidden');
    skippedMs += 11_000;
    expect(await verdict()).toBe('allowed');
    expect({ reviews: asked(reviews, since), access: asked(accessReviews, since) }).toEqual({ reviews: 2, access: 2 });
  });

  it('is what a Prometheus with the token in a file scrapes over https', async () => {
    const file = join(secure.node.folder, 'token');
    writeFileSync(file, show(await tokenOf('stranger')));
    await using prometheus = await startPrometheus({
      folder: join(secure.node.folder, 'prometheus'),
      target: new URL(secure.url).host,
      scrape: { scheme: 'https', tls_config: { ca_file: server.caFile }, authorization: { credentials_file: file } },
    });
    await prometheus.value('up', (up) => up === 0);
    expect(await prometheus.lastError()).toContain('403');
    // Kubernetes writes a new token into the file before the old one ends.
    writeFileSync(file, show(await tokenOf('prometheus')));
    await prometheus.value('up', (up) => up === 1);
    expect(await prometheus.value('runlet_build_info')).toBe(1);
    await prometheus.value('runlet_scrape_answers_total{code="403"}', (count) => count >= 1);
    expectSecret(secure);
  });
});

describe('--metrics-auth jwt', () => {
  let secure: SecureAgent;
  beforeAll(async () => {
    secure = await startAgent('jwt');
  });

  it('lets in holders of a token for it that the cluster has issued, without asking the cluster', async () => {
    const good = show(await tokenOf('prometheus', 'runlet'));
    expect(await secure.scrape(good)).toBe(200);
    const since = proxy.requests.length;
    expect(await secure.scrape(show(await tokenOf('stranger', 'runlet')))).toBe(200);
    expect(await secure.scrape(show(await tokenOf('prometheus', 'vault', 'runlet')))).toBe(200);
    expect(await secure.scrape(show(await tokenOf('prometheus')))).toBe(401);
    expect(await secure.scrape(show(await tokenOf('prometheus', 'vault')))).toBe(401);
    expect(await secure.scrape()).toBe(401);
    expect(await secure.scrape(show('a.b.c'))).toBe(401);
    // One that only the cluster could know is none that carries its own proof.
    expect(await secure.scrape(agentUser.token)).toBe(401);
    const { header, claims } = readToken(good);
    const pastSeconds = Math.floor(Date.now() / 1000) - 60;
    for (const [what, changed] of Object.entries<Record<string, unknown>>({
      'another issuer': { iss: 'https://elsewhere.example' },
      'a time that is over': { exp: pastSeconds },
      'no end': { exp: undefined },
      'a time to come': { nbf: Math.floor(Date.now() / 1000) + 600 },
    })) {
      const token = show(signToken(server, { header, claims: { ...claims, ...changed } }));
      expect(await secure.scrape(token), what).toBe(401);
    }
    const user = show(signToken(server, { header, claims: { ...claims, sub: 'jane' } }));
    expect(await secure.scrape(user)).toBe(403);
    for (const [how, forged] of Object.entries(forgeTokens(server, { header, claims }))) {
      expect(await secure.scrape(show(forged)), how).toBe(401);
    }
    expect([asked(reviews, since), asked('/openid/v1/jwks', since)]).toEqual([0, 0]);
    for (const path of ['/healthz', '/readyz']) expect(await secure.page(path)).toBe(200);
  });

  it('needs no cluster for it, also after a restart', async () => {
    const token = show(await tokenOf('prometheus', 'runlet'));
    await proxy.down();
    try {
      expect(await secure.scrape(token)).toBe(200);
      await secure.restart();
      expect(await secure.page('/metrics', token)).toBe(200);
      expect(await secure.page('/metrics', 'a.b.c')).toBe(401);
    } finally {
      await proxy.up();
    }
    expectSecret(secure);
  });

  it('lets in none but the accounts that are named', async () => {
    const account = `system:serviceaccount:${monitoring}:prometheus`;
    const strict = await startAgent('jwt', ['--metrics-allow', account]);
    expect(await strict.scrape(show(await tokenOf('prometheus', 'runlet')))).toBe(200);
    expect(await strict.scrape(show(await tokenOf('stranger', 'runlet')))).toBe(403);
  });

  it('takes up new keys of the cluster and lets go of those that are gone', async () => {
    const authorizer = new TokenKeysAuthorizer({ client, clock });
    const verdict = async (token: string) => await authorizer.authorize({ token });
    const old = await tokenOf('prometheus', 'runlet');
    expect(await verdict(old)).toBe('allowed');
    await rotateKeys(server);
    const young = await tokenOf('prometheus', 'runlet');
    expect(readToken(young).header['kid']).not.toBe(readToken(old).header['kid']);
    // Anybody can name a key that is not known: the cluster is asked for keys once a minute at most.
    const since = proxy.requests.length;
    expect(await verdict(young)).toBe('unauthenticated');
    expect(asked('/openid/v1/jwks', since)).toBe(0);
    skippedMs += 61_000;
    expect(await verdict(young)).toBe('allowed');
    expect(await verdict(old)).toBe('allowed');
    await dropOldKeys(server);
    skippedMs += 3_600_000;
    expect(await verdict(old)).toBe('unauthenticated');
  });
});
