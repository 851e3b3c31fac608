import { join } from 'node:path';
import * as z from 'zod';
import { MalformedError } from '#errors/errors.ts';
import { readText, writeDurable } from '#host/files.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';

/** What a checkpoint says of the task that it was taken of: a restore must be the same. */
const manifestSchema = z.strictObject({
  /** Of the NodeTaskCheckpoint. */
  uid: z.string(),
  taskUID: z.string(),
  imageDigest: z.string().optional(),
  /** The OCI specification that it ran as. */
  runtime: z.unknown(),
  /** The NodeTask's specification. */
  spec: z.looseObject({}),
  /** Of CRIU's images; absent in those of former agents. */
  images: z.record(z.string(), z.string()).optional(),
  createdAt: z.string(),
});

export type CheckpointManifest = z.output<typeof manifestSchema>;

/** The folder of a checkpoint's data, relative to the agent's root, as its status names it. */
export function checkpointPath({ namespace, uid }: Pick<ObjectIdentity, 'namespace' | 'uid'>): string {
  return join('checkpoints', namespace, uid);
}

/** The places in a checkpoint's folder. */
export function checkpointPlaces(folder: string): Readonly<Record<'images' | 'upper' | 'manifest', string>> {
  return { images: join(folder, 'images'), upper: join(folder, 'upper'), manifest: join(folder, 'checkpoint.json') };
}

/** Written last: a folder without it is no whole checkpoint. */
export async function writeManifest(folder: string, manifest: CheckpointManifest): Promise<void> {
  await writeDurable(checkpointPlaces(folder).manifest, JSON.stringify(manifest));
}

/** Undefined where there is none. Throws MalformedError. */
export async function readManifest(folder: string): Promise<CheckpointManifest | undefined> {
  const path = checkpointPlaces(folder).manifest;
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new MalformedError(`${path} is no manifest of a checkpoint`, { cause: error });
  }
}
