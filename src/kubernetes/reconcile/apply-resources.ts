import { RunletError, TerminalError, errorMessage } from '#errors/errors.ts';
import { backoffMs, type BackoffPolicy } from '#async/backoff.ts';
import type { Applied, ReconcilerContext, Subject } from './context.ts';
import { askedResources, kernelResources, toLiveTask } from './observe.ts';
import { change } from './record.ts';
import type { AppliedResources } from './record.ts';
import { objectKey, type ObjectEvent } from './source.ts';

/** How often limits that could not be set are tried again. */
const retryPolicy: BackoffPolicy = { firstMs: 5000, factor: 2, capMs: 60_000, jitter: 0 };

/** A limit that could not be set, as the runtime's errors carry it in `details.failures`. */
interface LimitFailure {
  readonly field: string;
  readonly reason: 'InUse' | 'NotSupported' | 'Refused';
  readonly message: string;
}

/** Asks the kernel for the object's resources, as far as it takes them, and keeps in mind what it did not take. */
export async function updateResources(
  context: ReconcilerContext,
  { object, task, signal }: Subject,
  { drift }: { readonly drift: boolean },
): Promise<Applied> {
  const { records, source, sink, wallClock } = context;
  const record = records.get(object.uid);
  const newest = source.get(objectKey(object));
  if (!task || !record || newest?.uid !== object.uid) return 'on';
  const wanted = newest.task?.spec.resources ?? null;
  const live = toLiveTask(context, task, record);
  const { linux } = kernelResources(context, wanted, askedResources(record, live));
  const before = record.applied?.attempt === live.attempt ? record.applied.problem : undefined;
  const failures = await tryUpdate(async () => {
    context.policy?.checkLimits(wanted, context.defaultPidsLimit);
    await task.update(linux, { signal });
  });
  const problem = problemOf(failures, (before?.tries ?? 0) + 1, wallClock.nowMs());
  const applied = { attempt: live.attempt, resources: wanted, ...(problem ? { problem } : {}) };
  records.put(change(records.get(object.uid) ?? record, { applied }));
  const event = problem ? failureEvent(problem, before) : drift ? corrected : resized;
  if (event) sink.event(object, event);
  return 'on';
}

const corrected: ObjectEvent = {
  type: 'Warning',
  reason: 'DriftCorrected',
  note: 'Somebody else had set other limits; they are as the spec says again',
};

const resized: ObjectEvent = { type: 'Normal', reason: 'Resized', note: 'Its resources are as the spec says' };

type Problem = NonNullable<AppliedResources['problem']>;

/** A try that fails like the one before is no news. */
function failureEvent(problem: Problem, before: Problem | undefined): ObjectEvent | undefined {
  if (before?.message === problem.message) return undefined;
  return { type: 'Warning', reason: 'ResizeFailed', note: problem.message.slice(0, 1024) };
}

/** What the kernel did not take; what it cannot do at all is said elsewhere. Throws what is about something else. */
async function tryUpdate(update: () => Promise<void>): Promise<readonly LimitFailure[]> {
  try {
    await update();
    return [];
  } catch (error) {
    const failures = error instanceof RunletError ? error.details['failures'] : undefined;
    if (Array.isArray(failures)) {
      return (failures as readonly LimitFailure[]).filter(({ reason }) => reason !== 'NotSupported');
    }
    if (error instanceof TerminalError) return [{ field: '', reason: 'Refused', message: error.message }];
    if (error instanceof RunletError && (error.code === 'failed-precondition' || error.code === 'not-found')) {
      throw error;
    }
    return [{ field: '', reason: 'Refused', message: errorMessage(error) }];
  }
}

function problemOf(failures: readonly LimitFailure[], tries: number, nowMs: number): Problem | undefined {
  if (failures.length === 0) return undefined;
  const inUse = failures.some(({ reason }) => reason === 'InUse');
  const message = `${failures.map((failure) => failure.message).join('; ')}; it is tried again.`;
  const retryAtMs = nowMs + backoffMs(retryPolicy, tries, () => 0);
  return { reason: inUse ? 'MemoryInUse' : 'Refused', message, tries, retryAtMs };
}
