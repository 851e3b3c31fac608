import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inClusterAccess, readTlsSettings } from './access.ts';
import { parseKubeconfig, readKubeconfig } from './kubeconfig.ts';

function config(cluster: object, user: object): string {
  return JSON.stringify({
    'current-context': 'x',
    contexts: [
      { name: 'other', context: { cluster: 'none' } },
      { name: 'x', context: { cluster: 'c', user: 'u' } },
    ],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
  });
}

const server = { server: 'https://10.0.0.1:6443/' };

describe('parseKubeconfig', () => {
  it('reads server, authority and token of the current context', () => {
    const data = Buffer.from('PEM').toString('base64');
    expect(
      parseKubeconfig(config({ ...server, 'certificate-authority-data': data }, { token: 't' }), '/etc/k'),
    ).toEqual({
      server: 'https://10.0.0.1:6443',
      ca: { text: 'PEM' },
      token: { text: 't' },
      insecure: false,
    });
  });

  it('finds files beside the kubeconfig, and takes a token file before a token', () => {
    const user = { 'client-certificate': 'pki/a.crt', 'client-key': '/abs/a.key', token: 'old', tokenFile: 'token' };
    const access = parseKubeconfig(config({ ...server, 'certificate-authority': 'ca.crt' }, user), '/etc/kube/config');
    expect(access).toMatchObject({
      ca: { file: '/etc/kube/ca.crt' },
      clientCertificate: { cert: { file: '/etc/kube/pki/a.crt' }, key: { file: '/abs/a.key' } },
      token: { file: '/etc/kube/token' },
    });
  });

  it.each([
    ['an exec plugin', server, { exec: { command: 'aws' } }, 'exec: exec plugins are not supported'],
    ['an auth provider', server, { 'auth-provider': {} }, 'auth providers are not supported'],
    ['a password', server, { username: 'me' }, 'user names with passwords are not supported'],
    ['a proxy', { ...server, 'proxy-url': 'http://p' }, {}, 'proxies are not supported'],
    ['no server', {}, {}, 'clusters[c].cluster.server'],
    ['half a client certificate', server, { 'client-key': 'k' }, 'without the other'],
  ])('refuses %s, and says what to do', (_what, cluster, user, message) => {
    expect(() => parseKubeconfig(config(cluster, user), '/etc/k')).toThrow(message);
    expect(() => parseKubeconfig(config(cluster, user), '/etc/k')).toThrow('kubeconfig /etc/k: ');
  });

  it('refuses what is no YAML and what names nothing', () => {
    expect(() => parseKubeconfig('a: [', '/etc/k')).toThrow('/etc/k is not YAML');
    expect(() => parseKubeconfig('{}', '/etc/k')).toThrow('current-context: is required');
    expect(() => parseKubeconfig('{current-context: x}', '/etc/k')).toThrow('contexts: has none named x');
  });
});

describe('access', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runlet-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is that of the service account in a pod, also over IPv6', async () => {
    writeFileSync(join(folder, 'ca.crt'), 'PEM');
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    const access = inClusterAccess(environment, folder);
    expect(access).toMatchObject({ server: 'https://[fd00::1]:443', token: { file: join(folder, 'token') } });
    expect(await readTlsSettings(access)).toEqual({ ca: 'PEM', rejectUnauthorized: true });
    expect(() => inClusterAccess({})).toThrow('--kubeconfig');
  });

  it('says which file is missing', async () => {
    await expect(readKubeconfig(join(folder, 'none'))).rejects.toThrow(`there is no kubeconfig ${folder}/none`);
    const access = { server: 'https://x', insecure: false, ca: { file: join(folder, 'ca.crt') } };
    await expect(readTlsSettings(access)).rejects.toThrow(`cannot read ${folder}/ca.crt`);
  });
});
