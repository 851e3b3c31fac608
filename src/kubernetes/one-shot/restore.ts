import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TerminalError, UnavailableError } from '#errors/errors.ts';
import { exists } from '#host/files.ts';
import type { RuntimeSpec } from '#oci/runtime-spec.ts';
import type { NodeTask, NodeTaskSpec } from '../node-task/types.ts';
import type { SavedTask } from '../reconcile/context.ts';
import { checkpointPath, checkpointPlaces, readManifest, type CheckpointManifest } from './checkpoint-folder.ts';
import { digestImages, firstChanged } from './image-digests.ts';
import type { Outcome } from './record.ts';
import { finishedState, type OneShotRequest } from './request.ts';

/** Fields of a NodeTask that say what its processes hold on to. */
const sameFields = ['image', 'rootfs', 'volumes', 'volumeMounts', 'tty', 'stdin'] as const;

/** What of a specification must be as recorded, with the field of the NodeTask that it comes from. */
const sameParts: readonly (readonly [field: string, part: (spec: RuntimeSpec) => unknown])[] = [
  ['spec.securityContext.runAsUser', ({ process }) => process?.user],
  ['spec.securityContext.capabilities', ({ process }) => process?.capabilities],
  ['spec.securityContext.allowPrivilegeEscalation', ({ process }) => process?.noNewPrivileges],
  ['spec.securityContext.appArmorProfile', ({ process }) => process?.apparmorProfile],
  ['spec.securityContext.seccompProfile', ({ linux }) => linux?.seccomp],
  ['spec.securityContext.procMount', ({ linux }) => [linux?.maskedPaths, linux?.readonlyPaths]],
  ['spec.securityContext.privileged', ({ linux }) => [linux?.devices, linux?.resources?.devices]],
  ['spec.securityContext.readOnlyRootFilesystem', ({ root }) => root?.readonly],
  ['spec.network.mode', ({ linux }) => linux?.namespaces?.map(({ type }) => type).toSorted()],
];

/** The checkpoint that is named, as far as it is known here. */
export interface NamedCheckpoint {
  /** The agent's durable folder. */
  readonly root: string;
  readonly name: string;
  readonly request: OneShotRequest | undefined;
  /** How it ended; undefined while it has not. */
  readonly outcome: Pick<Outcome, 'state' | 'reason' | 'message'> | undefined;
  /** Why its data have gone. */
  readonly evicted?: string | undefined;
}

/**
 * What a task is restored from, when it is the same that was dumped. Throws UnavailableError while there is none or it is not
 * finished, TerminalError (`RestoreRefused`) that names what differs, or says that nothing can ever be restored from it.
 */
export async function savedTask(
  checkpoint: NamedCheckpoint,
  task: NodeTask,
  imageDigest: string | undefined,
): Promise<SavedTask> {
  const { name, request, outcome } = checkpoint;
  const about = (why: string) => `spec.restoreFrom.checkpointName: NodeTaskCheckpoint ${name} ${why}`;
  if (!request) throw new UnavailableError(about('is not there on this node: waiting for it'));
  if (request.deleting) throw new UnavailableError(about('is being deleted: waiting for another one of this name'));
  const state = outcome?.state ?? finishedState(request); // the journal of it may be lost
  if (state === undefined) throw new UnavailableError(about('is not finished: waiting for its end'));
  const gone = (why: string) => new TerminalError('RestoreRefused', about(`${why}; name another one in a new object`));
  if (state !== 'Succeeded') throw gone(`has no data: it is ${state} (${outcome?.reason ?? 'by its status'})`);
  if (checkpoint.evicted !== undefined) throw gone(`was evicted: ${checkpoint.evicted}`);
  const folder = join(checkpoint.root, checkpointPath(request));
  const manifest = await readManifest(folder);
  if (manifest?.uid !== request.uid) throw gone('has no data on this node any more');
  checkSameTask(manifest, task.spec, imageDigest);
  const { images, upper } = checkpointPlaces(folder);
  const changed = manifest.images && firstChanged(manifest.images, await digestImages(images));
  if (changed !== undefined) throw gone(`has other images than were dumped: ${changed}`);
  const layer = (await exists(upper)) ? { layer: upper } : {};
  return { images, ...layer, check: (spec) => checkSameRights(manifest, spec) };
}

/**
 * Whether a task is the one that was recorded, as far as its own fields say; `imageDigest`: of the image that it would run.
 * Throws TerminalError (`RestoreRefused`) that names the first field that differs.
 */
export function checkSameTask(
  { spec: recorded, imageDigest: recordedDigest }: CheckpointManifest,
  spec: NodeTaskSpec,
  imageDigest: string | undefined,
): void {
  const differs = sameFields.find((field) => !isDeepStrictEqual(plain(recorded[field]), plain(spec[field])));
  if (differs) refuse(`spec.${differs}`);
  if (recordedDigest !== imageDigest) refuse('spec.image', 'its tag leads to another image by now');
}

/**
 * The same for what would run. The processes of a checkpoint come back with the user, capabilities and filters that they had:
 * they must be those that the task would get now.
 */
export function checkSameRights({ runtime }: CheckpointManifest, spec: RuntimeSpec): void {
  const recorded = runtime as RuntimeSpec;
  const differs = sameParts.find(([, part]) => !isDeepStrictEqual(plain(part(recorded)), plain(part(spec))));
  if (differs) refuse(differs[0]);
}

function refuse(field: string, why = 'it is not what the checkpoint was taken with'): never {
  throw new TerminalError('RestoreRefused', `${field}: ${why}; take it over from the task that was dumped`);
}

/** As JSON has it: what is undefined is absent. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
}
