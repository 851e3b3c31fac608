import { createHash } from 'node:crypto';
import * as z from 'zod';
import { MalformedError, TerminalError } from '#errors/errors.ts';

/** What a node runs: `linux/amd64`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

/** The node's own. */
export const nodePlatform: Platform = {
  os: 'linux',
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
};

const digest = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);
const descriptor = z.object({ digest, size: z.number().int().nonnegative(), mediaType: z.string().optional() });
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(1000) });
const indexSchema = z.object({
  manifests: z.array(descriptor.extend({ platform: platform.optional() })).max(10_000),
});

/** A part of an image: where it is and how long. */
export type Descriptor = z.output<typeof descriptor>;
/** An image's parts: OCI image-spec 1.1, manifest.md; Docker's schema 2 is the same here. */
export type Manifest = z.output<typeof manifestSchema>;
/** The manifests of one image for several platforms: image-index.md; Docker's manifest list is the same here. */
export type Index = z.output<typeof indexSchema>;

export type AnyManifest =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly index: Index }
  /** A form that only skopeo reads, such as Docker's schema 1. */
  | { readonly kind: 'other' };

/** The digest of a manifest's bytes. */
export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Reads a manifest of any kind. Throws MalformedError that says of which image. */
export function parseAnyManifest(text: string, of: string): AnyManifest {
  const json = parseJson(text, of);
  const isObject = typeof json === 'object' && json !== null;
  if (isObject && 'manifests' in json) return { kind: 'index', index: check(indexSchema, json, of) };
  if (isObject && 'config' in json) return { kind: 'manifest', manifest: check(manifestSchema, json, of) };
  return { kind: 'other' };
}

/** Reads the manifest of one platform's image. Throws MalformedError. */
export function parseManifest(text: string, of: string): Manifest {
  return check(manifestSchema, parseJson(text, of), of);
}

/** Reads an index. Throws MalformedError. */
export function parseIndex(text: string, of: string): Index {
  return check(indexSchema, parseJson(text, of), of);
}

/** Variants that every machine of the architecture runs; `v2` and so on of amd64 need newer ones. */
const usualVariants: Readonly<Record<string, readonly string[]>> = { amd64: ['v1'], arm64: ['v8'] };

/** The manifest for a platform. Throws TerminalError (`WrongPlatform`) that says what there is. */
export function choosePlatform(index: Index, wanted: Platform, of: string): Descriptor {
  const variants = new Set([undefined, '', ...(usualVariants[wanted.architecture] ?? [])]);
  const chosen = index.manifests.find(
    (entry) =>
      entry.platform?.os === wanted.os &&
      entry.platform.architecture === wanted.architecture &&
      variants.has(entry.platform.variant),
  );
  const only = index.manifests.length === 1 ? index.manifests[0] : undefined;
  if (chosen) return chosen;
  if (only && !only.platform) return only;
  const there = index.manifests.flatMap((entry) => (entry.platform ? [platformName(entry.platform)] : []));
  throw wrongPlatform(of, wanted, [...new Set(there)].filter((name) => !name.startsWith('unknown')).join(', '));
}

export function platformName({ os, architecture, variant }: z.output<typeof platform>): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

export function wrongPlatform(of: string, wanted: Platform, there: string): TerminalError {
  const what = there || 'no platform that it names';
  return new TerminalError('WrongPlatform', `image ${of} is for ${what}; this node runs ${platformName(wanted)}`);
}

function parseJson(text: string, of: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedError(`the manifest of image ${of} is not JSON`, { cause: error });
  }
}

function check<T>(schema: z.ZodType<T>, json: unknown, of: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new MalformedError(`the manifest of image ${of} is wrong: ${issue?.path.join('.')}: ${issue?.message}`);
}
