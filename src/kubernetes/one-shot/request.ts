import * as z from 'zod';
import { errorMessage } from '#errors/errors.ts';
import { parseSignal } from '#oci/signal.ts';
import type { KubeObject } from '../client/object.ts';
import { toProblems, type Problem } from '../node-task/problem.ts';
import { cleanupFinalizer } from '../node-task/schema.ts';
import { withoutNulls } from '../node-task/validate.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';
import type { OneShotState } from './schema-status.ts';
import {
  checkpointSpecSchema,
  defaultTtlSeconds,
  execSpecSchema,
  signalSpecSchema,
  type OneShotKind,
} from './schema.ts';

export type ExecSpec = z.output<typeof execSpecSchema>;
export type SignalSpec = z.output<typeof signalSpecSchema>;
export type CheckpointSpec = z.output<typeof checkpointSpecSchema>;

/** What is asked for, checked. */
export type Asked =
  | { readonly kind: 'NodeTaskExec'; readonly spec: ExecSpec }
  | { readonly kind: 'NodeTaskSignal'; readonly spec: SignalSpec }
  | { readonly kind: 'NodeTaskCheckpoint'; readonly spec: CheckpointSpec };

/** What stands in the object's status, which only agents of its node write. */
export interface Reported {
  readonly state?: OneShotState;
  readonly taskUID?: string;
  /** Wall clock. */
  readonly finishedAtMs?: number;
}

/** An object of one of the kinds that ask for one act on a task. */
export interface OneShotRequest extends ObjectIdentity {
  readonly kind: OneShotKind;
  readonly generation: number;
  /** Wall clock of the API server. */
  readonly createdAtMs: number;
  readonly deleting: boolean;
  /** Whether our finalizer is on it. */
  readonly claimed: boolean;
  /** Absent when the specification is wrong. */
  readonly asked?: Asked;
  /** Empty when it is right. */
  readonly problems: readonly Problem[];
  /** Seconds until the finished object is deleted; absent: never. */
  readonly ttlSeconds?: number;
  readonly reported: Reported;
}

/** How its status says that it ended; undefined while it says nothing of the kind. */
export function finishedState({ reported: { state } }: OneShotRequest): 'Succeeded' | 'Failed' | 'Unknown' | undefined {
  return state === 'Succeeded' || state === 'Failed' || state === 'Unknown' ? state : undefined;
}

const reportedSchema = z.looseObject({
  state: z.string().optional().catch(undefined),
  taskUID: z.string().optional().catch(undefined),
  finishedAt: z.string().optional().catch(undefined),
});

/** Reads an object as the API server has it. Pure, never throws: what is wrong with it is a part of the result. */
export function readRequest(kind: OneShotKind, object: KubeObject): OneShotRequest {
  const { metadata } = object;
  const { asked, problems } = readAsked(kind, withoutNulls(object['spec'] ?? {}));
  const ttlSeconds = asked ? asked.spec.ttlSecondsAfterFinished : defaultTtlSeconds;
  const finalizers = metadata['finalizers'];
  return {
    ...{ kind, name: metadata.name, namespace: metadata.namespace ?? 'default', uid: metadata.uid, problems },
    generation: metadata.generation ?? 0,
    createdAtMs: timeOf(metadata['creationTimestamp']) ?? 0,
    deleting: metadata.deletionTimestamp !== undefined,
    claimed: Array.isArray(finalizers) && finalizers.includes(cleanupFinalizer),
    ...(asked ? { asked } : {}),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    reported: readReported(object['status']),
  };
}

function readAsked(
  kind: OneShotKind,
  spec: unknown,
): { readonly asked?: Asked; readonly problems: readonly Problem[] } {
  switch (kind) {
    case 'NodeTaskExec':
      return checked(execSpecSchema, spec, (right) => ({ kind, spec: right }));
    case 'NodeTaskSignal': {
      const read = checked(signalSpecSchema, spec, (right) => ({ kind, spec: right }));
      const problems = read.asked?.kind === kind ? signalProblems(read.asked.spec) : [];
      return problems.length > 0 ? { problems } : read;
    }
    case 'NodeTaskCheckpoint':
      return checked(checkpointSpecSchema, spec, (right) => ({ kind, spec: right }));
  }
}

function checked<S extends z.ZodType>(
  schema: S,
  spec: unknown,
  to: (right: z.output<S>) => Asked,
): { readonly asked?: Asked; readonly problems: readonly Problem[] } {
  const parsed = schema.safeParse(spec);
  if (parsed.success) return { asked: to(parsed.data), problems: [] };
  return {
    problems: toProblems(parsed.error).map(({ path, rule }) => ({ path: path ? `spec.${path}` : 'spec', rule })),
  };
}

function signalProblems({ signal }: SignalSpec): readonly Problem[] {
  try {
    parseSignal(signal);
    return [];
  } catch (error) {
    return [{ path: 'spec.signal', rule: errorMessage(error) }];
  }
}

function readReported(status: unknown): Reported {
  const { state, taskUID, finishedAt } = reportedSchema.catch({}).parse(status ?? {});
  const finishedAtMs = timeOf(finishedAt);
  return {
    ...(state === undefined ? {} : { state: state as OneShotState }),
    ...(taskUID === undefined ? {} : { taskUID }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
  };
}

function timeOf(text: unknown): number | undefined {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
