import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from './api-server.ts';

/** The two JSON parts of a token. */
export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Makes a namespace's service account; both may be there. */
export async function makeServiceAccount(server: ApiServer, namespace: string, name: string): Promise<void> {
  await server.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  await server.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
}

/** Tokens of the same second are told from each other by their time. */
let issued = 0;

/** Has a token issued as kubelet does (TokenRequest); without audiences it is one for the API server. */
export async function issueToken(
  server: ApiServer,
  namespace: string,
  name: string,
  audiences: readonly string[] = [],
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  issued += 1;
  const spec = { audiences, expirationSeconds: 3600 + issued };
  const { status, body } = await server.request('POST', path, { spec });
  if (status !== 201) throw new Error(`no token was issued: ${JSON.stringify(body)}`);
  return (body['status'] as { readonly token: string }).token;
}

export function readToken(token: string): TokenParts {
  const [header = '', claims = ''] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
  return { header, claims } as TokenParts;
}

/** Signs a token with the server's own key, so that nothing is wrong with it but what it says. */
export function signToken(server: ApiServer, { header, claims }: TokenParts): string {
  return seal({ header, claims }, (text) => sign('sha256', text, serverKey(server)));
}

/** Gives the server a new key to sign tokens with; those of the old one go on to count until `dropOldKeys`. */
export async function rotateKeys(server: ApiServer): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const known = join(server.folder, 'sa.pub');
  writeFileSync(known, `${String(publicKey.export({ type: 'spki', format: 'pem' }))}${readFileSync(known, 'utf8')}`);
  writeFileSync(join(server.folder, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  await server.stop();
  await server.start();
}

export async function dropOldKeys(server: ApiServer): Promise<void> {
  const publicKey = createPublicKey(serverKey(server));
  writeFileSync(join(server.folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await server.stop();
  await server.start();
}

/** The same token without a signature, signed with somebody else's key, and with the server's public key as a secret. */
export function forgeTokens(server: ApiServer, { header, claims }: TokenParts): Readonly<Record<string, string>> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = createPublicKey(serverKey(server)).export({ type: 'spki', format: 'pem' });
  return {
    'without a signature': seal({ header: { ...header, alg: 'none' }, claims }, () => Buffer.alloc(0)),
    'signed by somebody else': seal({ header, claims }, (text) => sign('sha256', text, privateKey)),
    'signed with the public key as a secret': seal({ header: { ...header, alg: 'HS256' }, claims }, (text) =>
      createHmac('sha256', publicPem).update(text).digest(),
    ),
  };
}

function serverKey(server: ApiServer): KeyObject {
  return createPrivateKey(readFileSync(join(server.folder, 'sa.key')));
}

function seal({ header, claims }: TokenParts, signature: (text: Buffer) => Buffer): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${signature(Buffer.from(text)).toString('base64url')}`;
}
