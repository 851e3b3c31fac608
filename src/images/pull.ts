import { join } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { MalformedError } from '#errors/errors.ts';
import { readText } from '#host/files.ts';
import { diskUsage } from '#host/trees.ts';
import { parseConfig } from './config.ts';
import type { ImageFolders } from './folders.ts';
import type { PullProgress } from './images.ts';
import { choosePlatform, digestOf, nodePlatform, parseAnyManifest, parseIndex, parseManifest } from './manifest.ts';
import type { Manifest, Platform } from './manifest.ts';
import type { ImageRecord } from './records.ts';
import type { Reference } from './reference.ts';
import { copyImage, readManifest } from './skopeo.ts';
import { watchCopy } from './watch-copy.ts';
import { unpackImage } from './unpack.ts';
import type { Unpackable } from './unpack.ts';

export interface PullContext {
  readonly folders: ImageFolders;
  readonly clock: Clock;
  readonly registryAuth?: string;
  readonly platform?: Platform;
  readonly signal: AbortSignal;
  readonly report: (progress: PullProgress) => void;
  /** Unpacks, with others who want the same image at the same time. */
  readonly unpackOnce: (imageId: string, work: (signal: AbortSignal) => Promise<string>) => Promise<string>;
}

/** What a reference leads to now. */
export interface Resolved {
  readonly digest: string;
  /** What to fetch: the manifest for this platform; undefined leaves the choice to skopeo. */
  readonly fetch?: string;
  readonly manifest?: Manifest;
}

/** Asks the registry, or the file, what a reference leads to. Fetches manifests only. */
export async function resolveImage(reference: Reference, context: PullContext): Promise<Resolved> {
  context.report({ phase: 'resolving' });
  await using scratch = await context.folders.temporary();
  const options = { scratch: scratch.path, signal: context.signal, ...credentials(context) };
  const first = await readVerified(reference, options, reference.kind === 'registry' ? reference.digest : undefined);
  const found = parseAnyManifest(first.text, reference.text);
  if (reference.kind === 'local') {
    return { digest: first.digest, ...(found.kind === 'manifest' ? { manifest: found.manifest } : {}) };
  }
  if (found.kind === 'manifest') return { ...first, fetch: first.digest, manifest: found.manifest };
  if (found.kind === 'other') return { digest: first.digest, fetch: first.digest };
  const { digest } = choosePlatform(found.index, context.platform ?? nodePlatform, reference.text);
  const second = await readVerified(reference, options, digest);
  const inner = parseAnyManifest(second.text, reference.text);
  return { digest: first.digest, fetch: digest, ...(inner.kind === 'manifest' ? { manifest: inner.manifest } : {}) };
}

/** Fetches and unpacks what was resolved. What is returned is on the disk, but not recorded. */
export async function pullImage(reference: Reference, resolved: Resolved, context: PullContext): Promise<ImageRecord> {
  const { folders, clock } = context;
  const copied = await copy(reference, resolved, context);
  const imageId = resolved.manifest?.config.digest ?? copied.manifest.config.digest;
  const config = parseConfig(
    await readBlob(folders, copied.manifest.config.digest, reference),
    reference.text,
    context.platform ?? nodePlatform,
  );
  context.report({ phase: 'unpacking' });
  const image: Unpackable = { reference: reference.text, imageId, ...copied.unpackable };
  const lower = await context.unpackOnce(imageId, async (signal) => await unpackImage(image, folders, signal));
  const sizeBytes = await diskUsage(lower, context.signal);
  const { digest } = resolved;
  const pulledAtMs = clock.nowMs();
  return { reference: reference.text, digest, imageId, config, sizeBytes, pulledAtMs, blobs: image.blobs };
}

function credentials({ registryAuth }: PullContext): { readonly registryAuth?: string } {
  return registryAuth === undefined ? {} : { registryAuth };
}

async function readVerified(
  reference: Reference,
  options: Parameters<typeof readManifest>[1],
  digest: string | undefined,
): Promise<{ readonly text: string; readonly digest: string }> {
  const text = await readManifest(reference, { ...options, ...(digest ? { digest } : {}) });
  const actual = digestOf(text);
  if (digest?.startsWith('sha256:') && digest !== actual) {
    throw new MalformedError(`image ${reference.text}: its registry answers ${digest} with something else, ${actual}`);
  }
  return { text, digest: digest ?? actual };
}

interface Copied {
  readonly manifest: Manifest;
  readonly unpackable: Pick<Unpackable, 'manifest' | 'manifestBytes' | 'blobs'>;
}

async function copy(reference: Reference, resolved: Resolved, context: PullContext): Promise<Copied> {
  const { folders, signal } = context;
  await using temporary = await folders.temporary();
  const layout = join(temporary.path, 'layout');
  using watch = watchCopy({ reference, folder: temporary.path, manifest: resolved.manifest, ...context });
  try {
    await copyImage(reference, {
      ...{ scratch: temporary.path, layout, blobs: folders.blobs, signal: watch.signal },
      ...(resolved.fetch ? { digest: resolved.fetch } : {}),
      ...credentials(context),
    });
  } catch (error) {
    throw watch.stalled && !signal.aborted ? watch.stalled : error;
  }
  const index = parseIndex((await readText(join(layout, 'index.json'))) ?? '', reference.text);
  const entry = index.manifests[0];
  if (!entry) throw new MalformedError(`image ${reference.text}: skopeo copied nothing`);
  const manifest = parseManifest(await readBlob(folders, entry.digest, reference), reference.text);
  const blobs = [entry, manifest.config, ...manifest.layers].map(({ digest }) => digest);
  return { manifest, unpackable: { manifest: entry.digest, manifestBytes: entry.size, blobs: [...new Set(blobs)] } };
}

async function readBlob(folders: ImageFolders, digest: string, reference: Reference): Promise<string> {
  const text = await readText(folders.blob(digest));
  if (text === undefined) throw new MalformedError(`image ${reference.text}: skopeo left out the blob ${digest}`);
  return text;
}
