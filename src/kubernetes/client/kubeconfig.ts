import { dirname, isAbsolute, join } from 'node:path';
import { load } from 'js-yaml';
import * as z from 'zod';
import { errorMessage, InvalidArgumentError, NotFoundError } from '#errors/errors.ts';
import { readText } from '#host/files.ts';
import type { ClusterAccess, Material } from './access.ts';

const text = z.string().min(1).optional();

const cluster = z.looseObject({
  server: z.url({ protocol: /^https?$/ }),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'tls-server-name': text,
  'insecure-skip-tls-verify': z.boolean().optional(),
  'proxy-url': z.undefined({ error: 'proxies are not supported: name the server itself' }).optional(),
});

const user = z.looseObject({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: unsupported('exec plugins'),
  'auth-provider': unsupported('auth providers'),
  username: unsupported('user names with passwords'),
});

const named = <K extends string, T extends z.ZodType>(key: K, value: T) =>
  z
    .array(z.looseObject({ name: z.string(), [key]: value } as { readonly name: z.ZodString } & Record<K, T>))
    .default([]);

const schema = z.looseObject({
  'current-context': text,
  contexts: named('context', z.looseObject({ cluster: z.string(), user: text })),
  clusters: named('cluster', z.unknown()),
  users: named('user', z.unknown()),
});

/**
 * Reads a kubeconfig file: its current context, with certificates and tokens in it or in files beside it. Throws
 * NotFoundError, and InvalidArgumentError naming the field for what is wrong or not supported.
 */
export async function readKubeconfig(path: string): Promise<ClusterAccess> {
  const content = await readText(path);
  if (content === undefined) throw new NotFoundError(`there is no kubeconfig ${path}`);
  return parseKubeconfig(content, path);
}

/** The same of a text; `path` is where it stands, to find files beside it. */
export function parseKubeconfig(content: string, path: string): ClusterAccess {
  const config = parsed(schema, yaml(content, path), path, '');
  const contextName = config['current-context'];
  if (!contextName) throw wrong(path, 'current-context', 'is required');
  const context = config.contexts.find(({ name }) => name === contextName)?.context;
  if (!context) throw wrong(path, 'contexts', `has none named ${contextName}`);
  const clusterEntry = config.clusters.find(({ name }) => name === context.cluster);
  if (!clusterEntry) throw wrong(path, 'clusters', `has none named ${context.cluster}`);
  const userEntry = config.users.find(({ name }) => name === context.user);
  if (context.user && !userEntry) throw wrong(path, 'users', `has none named ${context.user}`);
  return toAccess(
    parsed(cluster, clusterEntry.cluster, path, `clusters[${context.cluster}].cluster`),
    parsed(user, userEntry?.user ?? {}, path, `users[${context.user}].user`),
    path,
  );
}

function toAccess(server: z.output<typeof cluster>, identity: z.output<typeof user>, path: string): ClusterAccess {
  const material = (owner: Readonly<Record<string, unknown>>, name: string) => materialOf(owner, name, path);
  const ca = material(server, 'certificate-authority');
  const cert = material(identity, 'client-certificate');
  const key = material(identity, 'client-key');
  if (!cert !== !key) throw wrong(path, 'users', 'has a client certificate or a key without the other');
  const token = identity.tokenFile
    ? { file: beside(path, identity.tokenFile) }
    : identity.token && { text: identity.token };
  return {
    server: server.server.replace(/\/+$/, ''),
    insecure: server['insecure-skip-tls-verify'] ?? false,
    ...(ca ? { ca } : {}),
    ...(server['tls-server-name'] ? { serverName: server['tls-server-name'] } : {}),
    ...(cert && key ? { clientCertificate: { cert, key } } : {}),
    ...(token ? { token } : {}),
  };
}

/** `NAME-data` in base64 wins over the file `NAME`, as with kubectl. */
function materialOf(owner: Readonly<Record<string, unknown>>, name: string, path: string): Material | undefined {
  const data = owner[`${name}-data`];
  if (typeof data === 'string') return { text: Buffer.from(data, 'base64').toString() };
  const file = owner[name];
  return typeof file === 'string' ? { file: beside(path, file) } : undefined;
}

function beside(path: string, file: string): string {
  return isAbsolute(file) ? file : join(dirname(path), file);
}

function unsupported(what: string): z.ZodType<undefined> {
  return z
    .undefined({ error: `${what} are not supported: use a token, a token file or a client certificate` })
    .optional();
}

function yaml(content: string, path: string): unknown {
  try {
    return load(content);
  } catch (error) {
    throw new InvalidArgumentError(`${path} is not YAML: ${errorMessage(error).split('\n')[0]}`, { cause: error });
  }
}

function parsed<T extends z.ZodType>(type: T, value: unknown, path: string, at: string): z.output<T> {
  const result = type.safeParse(value ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = [at, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  throw wrong(path, field || 'the file', issue?.message ?? 'is invalid');
}

function wrong(path: string, field: string, rule: string): InvalidArgumentError {
  return new InvalidArgumentError(`kubeconfig ${path}: ${field}: ${rule}`);
}
