import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileSize, listNames, readBytesSync } from '#host/files.ts';

/** Name of an image file → the SHA-256 of its bytes, of memory pages their length. */
export type ImageDigests = Readonly<Record<string, string>>;

/** What a restore reads: CRIU's images and the runtime's list of descriptors. Logs and counters come and go. */
const read = /\.(?:img|json)$/;

/** Memory is gigabytes, all else kilobytes. */
const pages = /^pages-\d+\.img$/;

/** What a folder of CRIU's images holds: who its processes are, what they may do and which filters hold them is in the small files. */
export async function digestImages(folder: string): Promise<ImageDigests> {
  const names = (await listNames(folder)).filter((name) => read.test(name));
  return Object.fromEntries(names.map((name) => [name, digestOf(join(folder, name), pages.test(name))]));
}

/** The first file that is not as it was, or was not there or is not there any more; undefined when all are. Pure. */
export function firstChanged(recorded: ImageDigests, now: ImageDigests): string | undefined {
  const names = [...new Set([...Object.keys(recorded), ...Object.keys(now)])].toSorted((a, b) => (a < b ? -1 : 1));
  return names.find((name) => recorded[name] !== now[name]);
}

function digestOf(path: string, large: boolean): string {
  if (large) return `${fileSize(path) ?? 0} bytes`;
  return `sha256:${createHash('sha256')
    .update(readBytesSync(path) ?? '')
    .digest('hex')}`;
}
