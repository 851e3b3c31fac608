import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { Agent, fetch, type RequestInit } from 'undici';
import { makeAuthority, type TestAuthority } from './certificates.ts';
import { Child } from './child.ts';
import { eventually } from './node.ts';
import { clientProgram, findServerPrograms, type ServerPrograms } from './server-programs.ts';

/** A user that the server knows by a token. */
export interface TestUser {
  readonly name: string;
  readonly token: string;
  readonly groups: readonly string[];
}

/** May do everything. */
export const admin: TestUser = { name: 'admin', token: 'token-of-admin', groups: ['system:masters'] };
/** An agent's service account, without any right of its own. */
export const agentUser: TestUser = {
  name: 'system:serviceaccount:runlet-system:runlet',
  token: 'token-of-agent',
  groups: ['system:serviceaccounts', 'system:authenticated'],
};

export interface ApiServerOptions {
  /**
   * `plain`: kube-apiserver as it is, at best an old one. `modern`: our kinds are served with CEL rules and selectable
   * fields, by kube-apiserver itself if it can, else by a CRD server behind its aggregation.
   */
  readonly kind: 'plain' | 'modern';
  /** CRDs to install: files in deploy/crds without those that are named; default all. */
  readonly crds?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** A process of an API server. */
export interface ServerProgram {
  readonly name: string;
  readonly pid: number;
  metrics(): Promise<string>;
}

/** A real API server on loopback, in a folder of its own. */
export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  /** PEM file of the authority that signed the server's certificate. */
  readonly caFile: string;
  readonly authority: TestAuthority;
  /** The y of the version 1.y of kube-apiserver. */
  readonly minor: number;
  /** Whether our kinds have CEL rules and selectable fields: always where that was asked for, else where the server is new. */
  readonly modern: boolean;
  /** Writes a kubeconfig for a user; `server` when it is to go through a proxy. */
  kubeconfig(user: TestUser, server?: string): string;
  /** A request as the administrator; JSON in and out. Does not throw for an error status. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
  /** Installs CRDs as they are given, and waits until they are served. */
  installCrds(crds: readonly Record<string, unknown>[]): Promise<void>;
  /** kubectl as the administrator. Throws with what it said when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** The programs that it consists of, and what each counts in Prometheus' text. */
  programs(): readonly ServerProgram[];
  /** Takes the history away, so that watches from old versions answer 410. */
  compact(): Promise<void>;
  /** Ends kube-apiserver, and the CRD server (etcd goes on) until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const crdFolder = join(import.meta.dirname, '../../deploy/crds');

/** Starts one; a port that was taken in between is another try. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  for (let attempt = 1; ; attempt += 1) {
    const server = new RealApiServer(findServerPrograms(), mkdtempSync(join(tmpdir(), 'runlet-test-')));
    try {
      await server.startAll(options);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      if (attempt === 3) throw error;
    }
  }
}

/** A CRD of ours as the file has it. */
export function readCrd(plural: string): Record<string, unknown> {
  return load(readFileSync(join(crdFolder, `${plural}.yaml`), 'utf8')) as Record<string, unknown>;
}

class RealApiServer implements ApiServer {
  readonly folder: string;
  readonly authority: TestAuthority;
  readonly caFile: string;
  readonly minor: number;
  readonly #programs: ServerPrograms;
  #ports = { etcd: 0, peer: 0, api: 0, crds: 0 };
  /** Its program, once it serves our kinds. */
  #crdServer: string | undefined;
  readonly #children = new Map<string, Child>();
  readonly #client: Agent;

  constructor(programs: ServerPrograms, folder: string) {
    this.#programs = programs;
    this.folder = folder;
    this.minor = programs.minor;
    this.authority = makeAuthority(folder, 'ca');
    this.caFile = this.authority.cert;
    this.#client = new Agent({ connect: { ca: readFileSync(this.caFile, 'utf8') } });
  }

  get url(): string {
    return `https://127.0.0.1:${this.#ports.api}`;
  }

  get modern(): boolean {
    return this.#crdServer !== undefined || this.#programs.crdServer === undefined;
  }

  async startAll({ kind, crds }: ApiServerOptions): Promise<void> {
    this.#writeKeys();
    this.#ports = { etcd: await freePort(), peer: await freePort(), api: await freePort(), crds: await freePort() };
    this.#startEtcd();
    await this.start();
    const plurals = crds ?? readdirSync(crdFolder).map((file) => file.replace('.yaml', ''));
    if (kind === 'modern' && this.#programs.crdServer) await this.#startCrdServer(this.#programs.crdServer);
    await this.installCrds(plurals.map(readCrd));
  }

  async start(): Promise<void> {
    const { etcd, api } = this.#ports;
    const file = (name: string) => join(this.folder, name);
    await this.#run('kube-apiserver', [
      this.#programs.apiServer,
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      `--secure-port=${api}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--cert-dir=${file('certs')}`,
      `--tls-cert-file=${file('server.crt')}`,
      `--tls-private-key-file=${file('server.key')}`,
      `--client-ca-file=${this.caFile}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${file('sa.key')}`,
      `--service-account-key-file=${file('sa.pub')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.96.0.0/24',
      `--proxy-client-cert-file=${file('front.crt')}`,
      `--proxy-client-key-file=${file('front.key')}`,
      `--requestheader-client-ca-file=${this.caFile}`,
      '--requestheader-allowed-names=aggregator',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    ]);
    await this.#ready('kube-apiserver', this.url);
    if (this.#crdServer) await this.#runCrdServer(this.#crdServer);
  }

  async stop(): Promise<void> {
    for (const name of ['kube-apiserver', 'apiextensions-apiserver']) await this.#children.get(name)?.stop();
  }

  kubeconfig(user: TestUser, server = this.url): string {
    const path = join(this.folder, `${user.token}-${new URL(server).port}.kubeconfig`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority': this.caFile } }],
      users: [{ name: 'u', user: { token: user.token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  async request(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    return await this.#fetch(this.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    });
  }

  kubectl(args: readonly string[], input = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, KUBECONFIG: this.kubeconfig(admin), HOME: this.folder };
      const child = execFile(clientProgram('kubectl'), args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`kubectl ${args.join(' ')}: ${stderr || error.message}`));
        else resolve(stdout);
      });
      child.stdin?.end(input);
    });
  }

  programs(): readonly ServerProgram[] {
    const urls: Readonly<Record<string, string>> = {
      etcd: `http://127.0.0.1:${this.#ports.etcd}`,
      'kube-apiserver': this.url,
      'apiextensions-apiserver': `https://127.0.0.1:${this.#ports.crds}`,
    };
    return [...this.#children].map(([name, { pid }]) => ({
      ...{ name, pid },
      metrics: async () => String((await this.#fetch(`${urls[name]}/metrics`, {})).body['text']),
    }));
  }

  async compact(): Promise<void> {
    const url = `http://127.0.0.1:${this.#ports.etcd}/v3/kv`;
    const post = async (verb: string, body: unknown) =>
      await this.#fetch(`${url}/${verb}`, { method: 'POST', body: JSON.stringify(body) });
    const { body } = await post('range', { key: Buffer.from('x').toString('base64') });
    const { revision } = body['header'] as { readonly revision: string };
    await post('compaction', { revision, physical: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.destroy();
    await Promise.all([...this.#children.values()].map((child) => child.stop()));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #writeKeys(): void {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    writeFileSync(join(this.folder, 'sa.key'), privateKey, { mode: 0o600 });
    writeFileSync(join(this.folder, 'sa.pub'), publicKey);
    this.authority.sign('server', '/CN=kube-apiserver');
    // the certificate by which a server behind the aggregation believes who the user is
    this.authority.sign('front', '/CN=aggregator');
    const rows = [admin, agentUser].map(({ token, name, groups }) => `${token},${name},${name},"${groups.join(',')}"`);
    writeFileSync(join(this.folder, 'tokens.csv'), `${rows.join('\n')}\n`, { mode: 0o600 });
  }

  #startEtcd(): void {
    const { etcd, peer } = this.#ports;
    void this.#run('etcd', [
      this.#programs.etcd,
      `--data-dir=${join(this.folder, 'etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${etcd}`,
      `--advertise-client-urls=http://127.0.0.1:${etcd}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      '--unsafe-no-fsync',
    ]);
  }

  async #runCrdServer(program: string): Promise<void> {
    const kubeconfig = this.kubeconfig(admin);
    await this.#run('apiextensions-apiserver', [
      program,
      `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`,
      '--etcd-prefix=/crds',
      `--secure-port=${this.#ports.crds}`,
      '--bind-address=127.0.0.1',
      `--tls-cert-file=${join(this.folder, 'server.crt')}`,
      `--tls-private-key-file=${join(this.folder, 'server.key')}`,
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      '--enable-priority-and-fairness=false',
      '--disable-admission-plugins=MutatingAdmissionPolicy,ValidatingAdmissionPolicy',
    ]);
    await this.#ready('apiextensions-apiserver', `https://127.0.0.1:${this.#ports.crds}`);
  }

  async #startCrdServer(program: string): Promise<void> {
    this.#crdServer = program;
    await this.#runCrdServer(program);
    const name = 'crds';
    await this.request('POST', '/api/v1/namespaces/kube-system/services', {
      metadata: { name },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port: this.#ports.crds }] },
    });
    await this.request('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
      metadata: { name: 'v1alpha1.runlet.dev' },
      spec: {
        group: 'runlet.dev',
        version: 'v1alpha1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        insecureSkipTLSVerify: true,
        service: { name, namespace: 'kube-system', port: this.#ports.crds },
      },
    });
  }

  async installCrds(crds: readonly Record<string, unknown>[]): Promise<void> {
    const url = this.#crdServer ? `https://127.0.0.1:${this.#ports.crds}` : this.url;
    for (const crd of crds) {
      const { status, body } = await this.#fetch(`${url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions`, {
        method: 'POST',
        body: JSON.stringify(crd),
        headers: { 'content-type': 'application/json' },
      });
      if (status !== 201) throw new Error(`a CRD was refused: ${String(body['message'])}`);
    }
    for (const crd of crds) {
      const { plural } = (crd['spec'] as { readonly names: { readonly plural: string } }).names;
      const look = async () => (await this.#fetch(`${this.url}/apis/runlet.dev/v1alpha1/${plural}`, {})).status;
      await eventually(look, (status) => status === 200, `serving ${plural}`);
    }
  }

  async #fetch(url: string, init: RequestInit): Promise<Answer> {
    // etcd takes the header for a token of its own
    const token: Record<string, string> = url.startsWith('https:') ? { authorization: `Bearer ${admin.token}` } : {};
    const headers = { ...token, ...(init.headers as Record<string, string> | undefined) };
    const answer = await fetch(url, { ...init, headers, dispatcher: this.#client });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { text } };
  }

  async #run(name: string, argv: readonly string[]): Promise<void> {
    await this.#children.get(name)?.stop();
    this.#children.set(name, new Child(name, argv, { logFile: join(this.folder, `${name}.log`), cwd: this.folder }));
  }

  /** Waits until a server says so; one that has ended never will. */
  async #ready(name: string, url: string): Promise<void> {
    const child = this.#children.get(name);
    const look = async () => {
      if (!child?.running) throw new Error(`${name} has ended: ${child?.log()}`);
      return await this.#fetch(`${url}/readyz`, {}).then(
        ({ status }) => status,
        () => 0,
      );
    };
    await eventually(look, (status) => status === 200, `waiting for ${name}`);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
