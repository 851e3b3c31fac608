import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectSecurely } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeAgentNode, type AgentNode, type RunningAgent } from '../support/agent.ts';
import { makeAuthority, type CertificateFiles, type TestAuthority } from '../support/certificates.ts';
import { parseScrape } from '../support/metrics.ts';
import { eventually } from '../support/node.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { Scraper, type ScrapeAnswer } from '../support/scraper.ts';

let node: AgentNode;
let authority: TestAuthority;
let clients: TestAuthority;
beforeEach(() => {
  node = makeAgentNode();
  authority = makeAuthority(node.folder, 'servers');
  clients = makeAuthority(node.folder, 'clients');
});
afterEach(async () => {
  await node.clean();
});

/** The files that the agent is told of, in a folder as Kubernetes mounts a secret: links into `..data`, which is a link too. */
class Volume {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string, files: Readonly<Record<string, string>>) {
    this.#folder = folder;
    mkdirSync(folder);
    for (const name of Object.keys(files)) symlinkSync(`..data/${name}`, join(folder, name));
    this.swap(files);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Replaces all of them at once; the name is that in the volume, the value the file that it is a copy of. */
  swap(files: Readonly<Record<string, string>>): void {
    this.#count += 1;
    const name = `..${this.#count}`;
    mkdirSync(join(this.#folder, name));
    for (const [file, from] of Object.entries(files)) copyFileSync(from, join(this.#folder, name, file));
    symlinkSync(name, join(this.#folder, '..new'));
    renameSync(join(this.#folder, '..new'), join(this.#folder, '..data'));
  }
}

function pair({ cert, key }: CertificateFiles): Readonly<Record<'tls.crt' | 'tls.key', string>> {
  return { 'tls.crt': cert, 'tls.key': key };
}

/** An agent off loopback whose endpoint is that of a volume's files; its address is one of this machine that the tests reach. */
async function startAgent(volume: Volume, more: readonly string[] = []): Promise<{ agent: RunningAgent; url: string }> {
  const agent = await node.start({
    flags: [
      ...['--metrics-address', '0.0.0.0:0', '--metrics-auth', 'mtls'],
      ...['--metrics-tls-cert', volume.path('tls.crt'), '--metrics-tls-key', volume.path('tls.key')],
      ...['--metrics-client-ca', volume.path('ca.crt'), ...more],
    ],
  });
  return { agent, url: agent.metricsUrl.replace('0.0.0.0', '127.0.0.1') };
}

const statusOf = ({ status }: ScrapeAnswer) => status;

describe('--metrics-auth mtls', () => {
  it('lets holders of a certificate of the authority read, and everybody ask whether the agent is well', async () => {
    const volume = new Volume(join(node.folder, 'tls'), {
      ...pair(authority.sign('server', '/CN=server')),
      'ca.crt': clients.cert,
    });
    const { url } = await startAgent(volume);
    const of = async (certificate?: CertificateFiles) => {
      using scraper = new Scraper({ ca: authority.cert, ...(certificate ? { certificate } : {}) });
      const answers = [];
      for (const path of ['/metrics', '/healthz', '/readyz']) answers.push(statusOf(await scraper.ask(url + path)));
      return answers;
    };
    expect(await of(clients.sign('prometheus', '/CN=prometheus'))).toEqual([200, 200, 200]);
    expect(await of(clients.sign('client', '/CN=client', { usage: 'clientAuth' }))).toEqual([200, 200, 200]);
    const foreign = makeAuthority(node.folder, 'foreign');
    // An authority of the same name that is another one.
    mkdirSync(join(node.folder, 'namesake'));
    const namesake = makeAuthority(join(node.folder, 'namesake'), 'clients');
    for (const certificate of [
      undefined,
      foreign.sign('foreigner', '/CN=prometheus'),
      namesake.sign('impostor', '/CN=prometheus'),
      authority.sign('of-the-servers', '/CN=prometheus'),
      clients.sign('expired', '/CN=prometheus', { days: -1 }),
      clients.sign('a-server', '/CN=prometheus', { usage: 'serverAuth' }),
    ]) {
      expect(await of(certificate), certificate?.cert).toEqual([401, 200, 200]);
    }
  });

  it('lets in those of them that are named, by the common name or another name of the certificate', async () => {
    const volume = new Volume(join(node.folder, 'tls'), {
      ...pair(authority.sign('server', '/CN=server')),
      'ca.crt': clients.cert,
    });
    const { url } = await startAgent(volume, ['--metrics-allow', 'prometheus', '--metrics-allow', 'spiffe://a/b']);
    const of = async (certificate?: CertificateFiles) => {
      using scraper = new Scraper({ ca: authority.cert, ...(certificate ? { certificate } : {}) });
      return [statusOf(await scraper.ask(`${url}/metrics`)), statusOf(await scraper.ask(`${url}/healthz`))];
    };
    expect(await of(clients.sign('by-common-name', '/O=x/CN=prometheus'))).toEqual([200, 200]);
    expect(await of(clients.sign('by-uri', '/CN=x', { names: 'DNS:x.example,URI:spiffe://a/b' }))).toEqual([200, 200]);
    for (const [name, subject, names] of [
      ['another', '/CN=grafana', 'DNS:grafana'],
      ['longer', '/CN=prometheus2', 'URI:spiffe://a/b/c'],
      ['elsewhere', '/O=prometheus/CN=x', 'DNS:x'],
      ['wildcard', '/CN=*', 'DNS:*.example'],
    ] as const) {
      expect(await of(clients.sign(name, subject, { names })), name).toEqual([403, 200]);
    }
    const foreign = makeAuthority(node.folder, 'foreign');
    expect(await of(foreign.sign('foreigner', '/CN=prometheus'))).toEqual([401, 200]);
  });

  it('does not take a TLS session that is resumed for a certificate', async () => {
    const volume = new Volume(join(node.folder, 'tls'), {
      ...pair(authority.sign('server', '/CN=server')),
      'ca.crt': clients.cert,
    });
    const { url } = await startAgent(volume);
    const known = clients.sign('prometheus', '/CN=prometheus');
    const port = Number(new URL(url).port);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const stranger = await rawScrape(port, { version });
      expect(stranger.status).toBe(401);
      expect((await rawScrape(port, { version, session: stranger.session })).status).toBe(401);
      const scraper = await rawScrape(port, { version, certificate: known });
      expect(scraper.status).toBe(200);
      expect((await rawScrape(port, { version, certificate: known, session: scraper.session })).status).toBe(200);
    }
  });

  it('judges clients by new authorities as soon as these are there, also those that keep their connection', async () => {
    const server = authority.sign('server', '/CN=server');
    const volume = new Volume(join(node.folder, 'tls'), { ...pair(server), 'ca.crt': clients.cert });
    const { agent, url } = await startAgent(volume);
    const others = makeAuthority(node.folder, 'others');
    using old = new Scraper({ ca: authority.cert, certificate: clients.sign('old', '/CN=old') });
    using young = new Scraper({ ca: authority.cert, certificate: others.sign('young', '/CN=young') });
    expect([statusOf(await old.ask(`${url}/metrics`)), statusOf(await young.ask(`${url}/metrics`))]).toEqual([
      200, 401,
    ]);
    expect((await old.ask(`${url}/metrics`)).kept).toBe(true);
    volume.swap({ ...pair(server), 'ca.crt': others.cert });
    // The connection that is kept was judged by the authorities of before: it is closed instead of answered.
    await expect(old.ask(`${url}/metrics`)).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect([statusOf(await old.ask(`${url}/metrics`)), statusOf(await young.ask(`${url}/metrics`))]).toEqual([
      401, 200,
    ]);
    // An empty file would make Node trust whom the public authorities know.
    const empty = join(node.folder, 'empty');
    writeFileSync(empty, '');
    volume.swap({ ...pair(server), 'ca.crt': empty });
    expect([statusOf(await old.ask(`${url}/metrics`)), statusOf(await young.ask(`${url}/metrics`))]).toEqual([
      401, 200,
    ]);
    expect(agent.log()).toContain(`--metrics-client-ca ${volume.path('ca.crt')}: there is no certificate in PEM in it`);
  });

  it('is what a Prometheus with a client certificate scrapes over https', { timeout: 120_000 }, async () => {
    const volume = new Volume(join(node.folder, 'tls'), {
      ...pair(authority.sign('server', '/CN=server')),
      'ca.crt': clients.cert,
    });
    const { url } = await startAgent(volume);
    const { cert, key } = clients.sign('prometheus', '/CN=prometheus');
    await using prometheus = await startPrometheus({
      folder: join(node.folder, 'prometheus'),
      target: new URL(url).host,
      scrape: { scheme: 'https', tls_config: { ca_file: authority.cert, cert_file: cert, key_file: key } },
    });
    await prometheus.value('up', (up) => up === 1);
    await prometheus.value('runlet_scrape_answers_total{code="200"}', (count) => count >= 2);
    // New authorities cost it no scrape: what it asks on a connection that is closed it asks again on another.
    const others = makeAuthority(node.folder, 'others');
    const both = join(node.folder, 'both');
    writeFileSync(both, readFileSync(clients.cert, 'utf8') + readFileSync(others.cert, 'utf8'));
    const next = authority.sign('next', '/CN=next');
    volume.swap({ ...pair(next), 'ca.crt': both });
    await prometheus.value('runlet_certificate_loads_total{result="loaded"}', (count) => count === 2);
    const scrapes = (await prometheus.query('runlet_scrape_answers_total{code="200"}')) ?? 0;
    await prometheus.value('runlet_scrape_answers_total{code="200"}', (count) => count >= scrapes + 2);
    expect(await prometheus.query('min_over_time(up[30s])')).toBe(1);
  });
});

describe('the certificate of the endpoint', () => {
  it('is the one on disk for every new connection, while those that are there go on', async () => {
    const first = authority.sign('first', '/CN=first');
    const volume = new Volume(join(node.folder, 'tls'), { ...pair(first), 'ca.crt': clients.cert });
    const { agent, url } = await startAgent(volume);
    const certificate = clients.sign('prometheus', '/CN=prometheus');
    using kept = new Scraper({ ca: authority.cert, certificate });
    const anew = async () => {
      using scraper = new Scraper({ ca: authority.cert, certificate });
      return (await scraper.ask(`${url}/metrics`)).server;
    };
    expect(await kept.ask(`${url}/metrics`)).toMatchObject({ status: 200, server: 'first', kept: false });
    volume.swap({ ...pair(authority.sign('second', '/CN=second')), 'ca.crt': clients.cert });
    expect(await anew()).toBe('second');
    expect(await kept.ask(`${url}/metrics`)).toMatchObject({ status: 200, server: 'first', kept: true });
    // Written in place, one file after the other: in between they do not go together.
    const third = authority.sign('third', '/CN=third');
    copyFileSync(third.cert, volume.path('tls.crt'));
    expect(await anew()).toBe('second');
    copyFileSync(third.key, volume.path('tls.key'));
    expect(await anew()).toBe('third');
    expect(await kept.ask(`${url}/metrics`)).toMatchObject({ status: 200, server: 'first', kept: true });
    const reasons = agent.logLines().map(({ reason }) => reason);
    expect(reasons).toContain(
      `--metrics-tls-key ${volume.path('tls.key')}: is not the key of the certificate in ${volume.path('tls.crt')}`,
    );
  });

  it('stays as it was while the files are broken, which the log and a counter say', async () => {
    const good = authority.sign('good', '/CN=good');
    const volume = new Volume(join(node.folder, 'tls'), { ...pair(good), 'ca.crt': clients.cert });
    const { agent, url } = await startAgent(volume);
    const certificate = clients.sign('prometheus', '/CN=prometheus');
    const loads = async () => {
      using scraper = new Scraper({ ca: authority.cert, certificate });
      const { status, server, body } = await scraper.ask(`${url}/metrics`);
      const scrape = parseScrape(body);
      const count = (result: string) => scrape.value(`runlet_certificate_loads_total{result="${result}"}`);
      const ends = scrape.value('runlet_certificate_expiry_timestamp_seconds{use="server"}') ?? 0;
      return { status, server, failed: count('failed') ?? 0, loaded: count('loaded'), days: daysUntil(ends) };
    };
    expect(await loads()).toEqual({ status: 200, server: 'good', failed: 0, loaded: 1, days: 30 });
    const garbage = join(node.folder, 'garbage');
    writeFileSync(garbage, 'no certificate');
    volume.swap({ 'tls.crt': garbage, 'tls.key': good.key, 'ca.crt': clients.cert });
    // Said once for each change, not at each connection.
    for (let round = 0; round < 3; round += 1) {
      expect(await loads()).toEqual({ status: 200, server: 'good', failed: 1, loaded: 1, days: 30 });
    }
    volume.swap({ 'tls.crt': good.cert, 'tls.key': garbage, 'ca.crt': clients.cert });
    expect(await loads()).toMatchObject({ status: 200, server: 'good', failed: 2, loaded: 1 });
    volume.swap({ 'tls.crt': good.cert, 'tls.key': good.key });
    expect(await loads()).toMatchObject({ status: 200, server: 'good', failed: 3, loaded: 1 });
    const better = authority.sign('better', '/CN=better', { days: 60 });
    volume.swap({ ...pair(better), 'ca.crt': clients.cert });
    expect(await loads()).toEqual({ status: 200, server: 'better', failed: 3, loaded: 2, days: 60 });
    const said = agent.logLines().filter(({ msg }) => String(msg).includes('going on with the old one'));
    expect(said.map(({ reason }) => String(reason))).toEqual([
      `--metrics-tls-cert ${volume.path('tls.crt')}: there is no certificate in PEM in it`,
      `--metrics-tls-key ${volume.path('tls.key')}: there is no private key in PEM in it`,
      `--metrics-client-ca ${volume.path('ca.crt')}: there is no such file`,
    ]);
    for (const { key } of [good, better]) expect(agent.log()).not.toContain(secretOf(key));
  });
});

describe('an endpoint that cannot be safe', () => {
  it.each([
    ['off loopback', ['--metrics-address', '0.0.0.0:0'], /--metrics-tls-cert.*not on loopback/s],
    [
      'off loopback with TLS for everybody',
      ['--metrics-address', '0.0.0.0:0', '--metrics-tls-cert', '/c', '--metrics-tls-key', '/k'],
      /--metrics-auth.*must be mtls, kubernetes or jwt because --metrics-address is not on loopback/s,
    ],
    ['without its key', ['--metrics-tls-cert', '/c'], /--metrics-tls-key.*go together/s],
    ['for tokens without a cluster', ['--metrics-auth', 'jwt'], /jwt needs a cluster.*--kubernetes or --kubeconfig/s],
    [
      'for certificates without authorities',
      ['--metrics-auth', 'mtls', '--metrics-tls-cert', '/c', '--metrics-tls-key', '/k'],
      /--metrics-client-ca.*is required with --metrics-auth mtls/s,
    ],
    [
      'whose certificate is not there',
      ['--metrics-tls-cert', '/nowhere/c', '--metrics-tls-key', '/nowhere/k'],
      /--metrics-tls-cert \/nowhere\/c: there is no such file/,
    ],
  ])('%s keeps the agent from starting, with a sentence that names the settings', async (_what, flags, sentence) => {
    const { exitCode, log } = await node.runToEnd({ flags });
    expect(exitCode).toBeGreaterThan(0);
    expect(log).toMatch(sentence);
    expect(log).not.toMatch(/\n +at /);
  });

  it('is on loopback without TLS, where nobody else reaches it', async () => {
    const agent = await node.start();
    expect(agent.metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:/);
    expect((await fetch(`${agent.metricsUrl}/metrics`)).status).toBe(200);
  });

  it('is not kept from its scrapers by those who connect and say nothing', async () => {
    const volume = new Volume(join(node.folder, 'tls'), {
      ...pair(authority.sign('server', '/CN=server')),
      'ca.crt': clients.cert,
    });
    const { url } = await startAgent(volume);
    const silent = Array.from({ length: 300 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
    for (const socket of silent) socket.on('error', () => {}); // it is ended by the other side
    try {
      await eventually(
        () => silent.filter(({ connecting }) => connecting).length,
        (left) => left === 0,
        'all are connected',
      );
      using scraper = new Scraper({ ca: authority.cert, certificate: clients.sign('prometheus', '/CN=prometheus') });
      expect((await scraper.ask(`${url}/metrics`)).status).toBe(200);
      await eventually(
        () => silent.filter(({ closed }) => !closed).length,
        (open) => open <= 128,
        'most of the silent connections are ended',
      );
    } finally {
      for (const socket of silent) socket.destroy();
    }
  });
});

interface RawScrape {
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  readonly certificate?: CertificateFiles;
  readonly session?: Buffer | undefined;
}

/** One request on a connection of its own, which may resume the session of another; resolves with the session to resume. */
async function rawScrape(port: number, { version, certificate, session }: RawScrape) {
  const socket = connectSecurely({
    ...{ port, host: '127.0.0.1', ca: readFileSync(authority.cert), minVersion: version, maxVersion: version },
    ...(certificate ? { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) } : {}),
    ...(session ? { session } : {}),
  });
  let next: Buffer | undefined;
  socket.on('session', (given) => (next = given));
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await once(socket, 'close');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), session: next };
}

function daysUntil(seconds: number): number {
  return Math.round((seconds * 1000 - Date.now()) / 86_400_000);
}

/** A line of a key's file that nothing else has. */
function secretOf(keyFile: string): string {
  return readFileSync(keyFile, 'utf8').split('\n')[1] ?? keyFile;
}
