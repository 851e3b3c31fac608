import { dirname } from 'node:path';
import type { Clock } from '#async/clock.ts';
import { errorMessage } from '#errors/errors.ts';
import { exists, makeFolder, removeTree } from '#host/files.ts';
import { copyTree, diskUsage } from '#host/trees.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { Recipe } from '#task/containers.ts';
import type { Task } from '#task/task.ts';
import { checkpointPlaces, writeManifest } from './checkpoint-folder.ts';
import { digestImages } from './image-digests.ts';
import { failed, succeeded, type Outcome } from './record.ts';
import type { CheckpointSpec } from './request.ts';

export interface CheckpointRun {
  readonly task: Task;
  readonly spec: CheckpointSpec;
  readonly uid: string;
  readonly taskUID: string;
  /** Absolute, and relative to the agent's root. */
  readonly folder: string;
  readonly path: string;
  /** What the task was made from. */
  readonly runtime: RuntimeSpec;
  readonly recipe: Recipe;
  readonly imageID?: string;
  /** The folder of what it wrote on top of its image. */
  readonly upper: string;
  readonly clock: Clock;
}

/** Dumps the task of a NodeTaskCheckpoint with the layer that it has written; what fails leaves no folder. */
export async function runCheckpoint(run: CheckpointRun): Promise<Outcome> {
  const { task, spec, folder } = run;
  const places = checkpointPlaces(folder);
  try {
    await removeTree(folder);
    await makeFolder(dirname(folder), 0o700);
    await makeFolder(folder, 0o700);
    const { frozenMs } = await task.checkpoint({
      imagePath: places.images,
      exit: spec.afterCheckpoint === 'Stop',
      fileLocks: true,
      whileFrozen: async () => {
        if (await exists(run.upper)) await copyTree(run.upper, places.upper);
      },
    });
    await writeManifest(folder, { ...manifestOf(run), images: await digestImages(places.images) });
    const sizeBytes = await diskUsage(folder);
    const then = spec.afterCheckpoint === 'Stop' ? 'has been stopped' : 'goes on';
    return succeeded(`the task was dumped and ${then}`, {
      path: run.path,
      sizeBytes,
      frozenMilliseconds: Math.round(frozenMs),
      ...(run.imageID === undefined ? {} : { imageID: run.imageID }),
    });
  } catch (error) {
    await removeTree(folder);
    return failed('CheckpointFailed', `the task was not dumped: ${errorMessage(error)}`);
  }
}

function manifestOf({ uid, taskUID, runtime, recipe, clock }: CheckpointRun) {
  return {
    ...{ uid, taskUID, runtime },
    spec: recipe.spec as Record<string, unknown>,
    ...(recipe.imageDigest === undefined ? {} : { imageDigest: recipe.imageDigest }),
    createdAt: new Date(clock.nowMs()).toISOString(),
  };
}
