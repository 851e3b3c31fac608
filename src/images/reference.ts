import { join, normalize } from 'node:path';
import { InvalidArgumentError } from '#errors/errors.ts';

/** An image in a registry, `host/path` with a tag or a digest. */
export interface RegistryReference {
  readonly kind: 'registry';
  /** In full, the name under which the image is kept. */
  readonly text: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
  /** A registry on this very node, which may speak plain http. */
  readonly loopback: boolean;
}

/** An image in a file or folder of the node. */
export interface LocalReference {
  readonly kind: 'local';
  readonly text: string;
  readonly transport: 'oci' | 'docker-archive';
  /** Absolute. */
  readonly path: string;
  /** Which image of those that are there; empty where there is one. */
  readonly selector: string;
}

export type Reference = RegistryReference | LocalReference;

export interface ReferenceRules {
  readonly baseDir?: string;
  readonly localPaths: boolean;
}

const host =
  '(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?';
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
/** The grammar of OCI's distribution specification; the digests are those that registries use. */
const grammar = new RegExp(
  `^(?:(?<host>${host})/)?(?<path>${component}(?:/${component})*)` +
    '(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$',
);
const localGrammar = /^(?<transport>oci|docker-archive):(?<path>[^:\0\n]+)(?::(?<selector>[^\0\n]*))?$/;

/** Repositories may have 255 characters, a tag 128, a digest 135. */
const longest = 512;
const usualRegistry = 'docker.io';

/** Reads an image's name. Throws InvalidArgumentError that names it and the rule. */
export function parseReference(text: string, rules: ReferenceRules): Reference {
  if (/^(?:oci|docker-archive):/.test(text)) return parseLocal(text, rules);
  const groups = text.length <= longest ? grammar.exec(text)?.groups : undefined;
  if (!groups?.['path']) {
    throw new InvalidArgumentError(
      `image ${JSON.stringify(text)}: must be a reference such as docker.io/library/busybox:1.37: lower case, no spaces`,
    );
  }
  return toRegistryReference(groups['host'], groups['path'], groups['tag'], groups['digest']);
}

/** The image as skopeo names it; at a digest, what was found there before. */
export function sourceName(reference: Reference, digest?: string): string {
  if (reference.kind === 'local') {
    return `${reference.transport}:${reference.path}${reference.selector ? `:${reference.selector}` : ''}`;
  }
  const { repository, tag = '' } = reference;
  const at = digest ?? reference.digest;
  return `docker://${repository}${at === undefined ? `:${tag}` : `@${at}`}`;
}

function toRegistryReference(
  named: string | undefined,
  path: string,
  tag: string | undefined,
  digest: string | undefined,
): RegistryReference {
  const { registry, repository } = placeOf(named, path);
  const name = `${registry}/${repository}`;
  const loopback = isLoopback(registry);
  // A digest says all: a tag beside it is for people, and may have moved.
  if (digest) return { kind: 'registry', text: `${name}@${digest}`, repository: name, digest, loopback };
  const usedTag = tag ?? 'latest';
  return { kind: 'registry', text: `${name}:${usedTag}`, repository: name, tag: usedTag, loopback };
}

/** As everywhere: the first part is a registry when it looks like a host; Docker's own is meant where there is none. */
function placeOf(named: string | undefined, path: string): { readonly registry: string; readonly repository: string } {
  const isHost = named !== undefined && (/[.:A-Z[]/.test(named) || named === 'localhost');
  const full = named !== undefined && !isHost ? `${named}/${path}` : path;
  if (isHost && named !== 'index.docker.io' && named !== usualRegistry) return { registry: named, repository: full };
  return { registry: usualRegistry, repository: full.includes('/') ? full : `library/${full}` };
}

function isLoopback(registry: string): boolean {
  const name = registry.replace(/:[0-9]+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(name);
}

function parseLocal(text: string, { baseDir, localPaths }: ReferenceRules): LocalReference {
  const fail = (why: string) => new InvalidArgumentError(`image ${JSON.stringify(text)}: ${why}`);
  if (!localPaths) throw fail('must be a reference to a registry: paths of the node are for manifest folders only');
  const { transport, path = '', selector = '' } = localGrammar.exec(text)?.groups ?? {};
  if (transport !== 'oci' && transport !== 'docker-archive') {
    throw fail('must name a path after the prefix, such as oci:images/web:1.0');
  }
  const absolute = absolutePath(path, baseDir);
  if (absolute === undefined) throw fail('must name an absolute path');
  if (/[:\n]/.test(absolute)) throw fail(`must not have a colon in its path ${absolute}`);
  const name = `${transport}:${absolute}${selector ? `:${selector}` : ''}`;
  return { kind: 'local', text: name, transport, path: absolute, selector };
}

function absolutePath(path: string, baseDir: string | undefined): string | undefined {
  const full = path.startsWith('/') || baseDir === undefined ? path : join(baseDir, path);
  return full.startsWith('/') ? normalize(full).replace(/(?<=.)\/+$/, '') : undefined;
}
