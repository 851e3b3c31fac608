import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** One layer: a function that fills a folder, or the bytes of a tar archive. */
export type TestLayer = ((folder: string) => void) | Buffer;

export interface TestImage {
  readonly layers: readonly TestLayer[];
  /** The `config` part of the image's configuration. */
  readonly config?: object;
  readonly architecture?: string;
  readonly tag?: string;
}

/** Adds an image to the OCI layout in a folder, which is made when it is not there. Returns the digests. */
export function addImage(layout: string, image: TestImage): { readonly manifest: string; readonly imageId: string } {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const tars = image.layers.map((layer) => (Buffer.isBuffer(layer) ? layer : toTar(layer, layout)));
  const layers = tars.map((tar) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    ...putBlob(layout, gzipSync(tar, { level: 1 })),
  }));
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    ...putJson(layout, {
      architecture: image.architecture ?? testArchitecture,
      os: 'linux',
      config: image.config ?? {},
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => digest(tar)) },
      history: tars.map(() => ({ created_by: 'a test' })),
    }),
  };
  const manifest = putJson(layout, { schemaVersion: 2, config, layers });
  addToIndex(layout, { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest }, image.tag ?? 'latest');
  return { manifest: manifest.digest, imageId: config.digest };
}

/** The machine's, as registries name it. */
export const testArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Copies an image into a registry. */
export function push(from: string, to: string, options: readonly string[] = []): void {
  const args = ['copy', '--quiet', '--dest-tls-verify=false', ...options, from, `docker://${to}`];
  execFileSync('skopeo', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A tar archive of what a function puts into a folder: same content, same bytes. */
export function toTar(fill: (folder: string) => void, near: string, options: readonly string[] = []): Buffer {
  const folder = mkdtempSync(join(near, '.layer-'));
  try {
    mkdirSync(join(folder, 'content'));
    fill(join(folder, 'content'));
    const file = join(folder, 'layer.tar');
    const usual = ['--sort=name', '--mtime=@0', '--numeric-owner', '--xattrs', '--xattrs-include=*'];
    execFileSync('tar', [...usual, ...options, '-C', join(folder, 'content'), '-cf', file, '.']);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Entry {
  readonly mediaType?: string;
  readonly digest: string;
  readonly annotations?: Record<string, string>;
}

function addToIndex(layout: string, entry: Entry, tag: string): void {
  const path = join(layout, 'index.json');
  const there = statSync(path, { throwIfNoEntry: false })
    ? (JSON.parse(readFileSync(path, 'utf8')) as { manifests: Entry[] }).manifests
    : [];
  const name = 'org.opencontainers.image.ref.name';
  const others = there.filter(({ annotations }) => annotations?.[name] !== tag);
  const manifests = [...others, { ...entry, annotations: { [name]: tag } }];
  writeFileSync(path, JSON.stringify({ schemaVersion: 2, manifests }));
}

function putJson(layout: string, json: object): { readonly digest: string; readonly size: number } {
  return putBlob(layout, Buffer.from(JSON.stringify(json)));
}

function putBlob(layout: string, bytes: Buffer): { readonly digest: string; readonly size: number } {
  const name = digest(bytes);
  writeFileSync(join(layout, 'blobs', ...name.split(':')), bytes);
  return { digest: name, size: bytes.length };
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
