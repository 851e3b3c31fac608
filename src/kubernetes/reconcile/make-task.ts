import { TerminalError, errorMessage } from '#errors/errors.ts';
import { backoffMs, type BackoffPolicy } from '#async/backoff.ts';
import { imagePullPolicyOf } from '../node-task/image-reference.ts';
import type { NodeTask } from '../node-task/types.ts';
import { checkLevel, underLevel } from '../security/judge.ts';
import type { ReconcilerContext, SavedTask } from './context.ts';
import { troubleReason, type MakingJob } from './making-job.ts';
import { toTaskRef } from './names.ts';
import { toOwner } from './owner.ts';
import { change } from './record.ts';
import { objectKey, type SourceObject } from './source.ts';

/** Waits between tries of what a registry, a volume or the runtime refused. */
const troublePolicy: BackoffPolicy = { firstMs: 10_000, factor: 2, capMs: 300_000, jitter: 0 };

/**
 * Makes the task of an object, in the background of its reconciling: image first, then all the rest. What comes of it is found
 * in the memory of the object and by looking at its task; never throws.
 */
export async function makeInBackground(
  context: ReconcilerContext,
  object: SourceObject & { readonly task: NodeTask },
  job: MakingJob,
): Promise<void> {
  const memory = context.memories.of(object.uid);
  try {
    await makeTask(context, object, job);
    delete memory.trouble;
  } catch (error) {
    if (!job.cancelled) noteTrouble(context, object, job, error);
  } finally {
    delete memory.job;
    context.look(objectKey(object));
  }
}

async function makeTask(
  context: ReconcilerContext,
  object: SourceObject & { readonly task: NodeTask },
  job: MakingJob,
): Promise<void> {
  const { making, source, trust, baseDir, policy, records } = context;
  const { task } = object;
  policy?.checkSource(task);
  policy?.checkLimits(task.spec.resources, context.defaultPidsLimit);
  // Nothing is made before its object is claimed, and it and what is known of it are on the disk; neither waits for the other.
  await Promise.all([claim(context, object), records.flush(object.uid), source.keep(objectKey(object))]);
  const { task: pulled, digest } = await ensureImage(context, object, job);
  const asked = await source.podSecurityLevel(object.namespace);
  const level = policy?.levelOf(object.namespace, asked) ?? asked;
  const saved = await checkpointOf(context, task, job, digest);
  using undo = new DisposableStack();
  undo.defer(() => saved?.release?.());
  const make = () =>
    making.make(underLevel(pulled, level), {
      ref: toTaskRef(object),
      attempt: job.attempt,
      trust,
      owner: toOwner(object, task),
      config: source.config,
      signal: job.signal,
      admit: (spec) => {
        checkLevel(task, level, spec);
        saved?.check(spec);
      },
      onWarning: (text) => warnOnce(context, object, text),
      ...(baseDir === undefined ? {} : { baseDir }),
      ...(saved ? { restoreFrom: saved.images } : {}),
      ...(saved?.layer === undefined ? {} : { restoreLayer: saved.layer }),
    });
  const made = await context.turns.run(make, job.signal);
  const record = records.get(object.uid);
  if (record) {
    records.put(
      change(record, {
        claimed: true,
        imageId: made.image?.imageId,
        imageSignal: task.spec.stopSignal === undefined ? made.stopSignal : undefined,
      }),
    );
  }
  context.sink.event(object, { type: 'Normal', reason: 'Created', note: `Made it (start ${job.attempt + 1})` });
}

/** What this machine cannot do is the same for many tasks and at each start. */
function warnOnce({ warned, log }: ReconcilerContext, object: SourceObject, text: string): void {
  if (warned.has(text)) return;
  warned.add(text);
  log.warn({ object: objectKey(object), warning: text }, 'tasks lack something; said once');
}

/** Nothing is made for an object that could go without telling. While its source is away it counts what former agents did. */
export async function claim({ sink, memories, records }: ReconcilerContext, object: SourceObject): Promise<void> {
  const memory = memories.of(object.uid);
  if (memory.claimed || (!object.confirmed && records.get(object.uid)?.claimed)) return;
  await sink.claim(object);
  memory.claimed = true;
}

/** Pulls where the policy says so, and returns the task as one whose image is here. */
async function ensureImage(
  context: ReconcilerContext,
  object: SourceObject & { readonly task: NodeTask },
  job: MakingJob,
): Promise<{ readonly task: NodeTask; readonly digest?: string }> {
  const { task } = object;
  const { image } = task.spec;
  if (image === undefined) return { task };
  job.step = 'image';
  const { digest } = await context.images.ensure(image, {
    policy: imagePullPolicyOf(task.spec),
    localPaths: context.trust !== 'cluster',
    signal: job.signal,
    ...(context.baseDir === undefined ? {} : { baseDir: context.baseDir }),
    onProgress: () => beginPulling(context, object, job, image),
  });
  if (job.phase === 'image') {
    context.sink.event(object, { type: 'Normal', reason: 'Pulled', note: `Pulled image ${image}` });
  }
  job.phase = 'making';
  job.step = 'making';
  return { task: { ...task, spec: { ...task.spec, imagePullPolicy: 'IfNotPresent' } }, digest };
}

/** An image that is here already needs no pulling, and nobody is told of one. */
function beginPulling(context: ReconcilerContext, object: SourceObject, job: MakingJob, image: string): void {
  if (job.phase === 'image') return;
  job.phase = 'image';
  context.sink.event(object, { type: 'Normal', reason: 'Pulling', note: `Pulling image ${image}` });
  context.look(objectKey(object));
}

/** Only the first start of an object is from a checkpoint. */
async function checkpointOf(
  context: ReconcilerContext,
  task: NodeTask,
  job: MakingJob,
  imageDigest: string | undefined,
): Promise<SavedTask | undefined> {
  if (task.spec.restoreFrom === undefined || job.attempt > 0) return undefined;
  if (context.checkpointOf) return await context.checkpointOf(task, imageDigest);
  throw new TerminalError('RestoreRefused', 'spec.restoreFrom: this agent keeps no checkpoints');
}

function noteTrouble(context: ReconcilerContext, object: SourceObject, job: MakingJob, error: unknown): void {
  const memory = context.memories.of(object.uid);
  const before = memory.trouble?.hash === job.hash ? memory.trouble.failures : 0;
  const failures = before + 1;
  const terminal = error instanceof TerminalError;
  const reason = troubleReason(error, job.step);
  const waitMs = terminal ? troublePolicy.capMs : backoffMs(troublePolicy, failures, () => 0);
  const message = errorMessage(error);
  memory.trouble = {
    ...{ reason, message, terminal, failures, hash: job.hash, generation: job.generation },
    retryAtMs: context.wallClock.nowMs() + waitMs,
  };
  context.log.warn({ object: objectKey(object), reason, err: error, retryMs: waitMs }, 'cannot make a task');
  if (reason !== 'Pending') context.sink.event(object, { type: 'Warning', reason, note: message.slice(0, 1024) });
}
