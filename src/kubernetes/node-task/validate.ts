import { errorMessage } from '#errors/errors.ts';
import { specProblems } from './rules.ts';
import { toProblems } from './problem.ts';
import type { Problem } from './problem.ts';
import { immutableFields, nodeTaskSchema, restartedAtAnnotation } from './schema.ts';
import type { NodeTask } from './types.ts';

export interface ValidationContext {
  /** `cluster`: from an API server. `local`: from a file that root wrote, so that paths may be named as images. */
  readonly source: 'cluster' | 'local';
  /** The agent's node; fills in `spec.nodeName` where the source is local. */
  readonly nodeName: string;
}

export type ValidationResult =
  | { readonly task: NodeTask; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly task?: never };

/** A restart's name, and so what a status repeats of it. */
const maxRestartedAtLength = 64;

/**
 * Checks a NodeTask from outside against every rule that needs no look at the node, and fills in defaults. Never throws:
 * each broken rule is a problem of its own, all of a kind at once. Null counts as absent, as an API server has it.
 */
export function validateNodeTask(value: unknown, context: ValidationContext): ValidationResult {
  const parsed = nodeTaskSchema.safeParse(withoutNulls(value));
  if (!parsed.success) return { problems: toProblems(parsed.error) };
  const task = parsed.data as Omit<NodeTask, 'spec'> & { readonly spec: Omit<NodeTask['spec'], 'nodeName'> };
  const nodeName = parsed.data.spec.nodeName ?? (context.source === 'local' ? context.nodeName : undefined);
  const problems = [
    ...(nodeName === undefined ? [{ path: 'spec.nodeName', rule: 'is required: name the node that runs it' }] : []),
    ...annotationProblems(parsed.data.metadata.annotations ?? {}),
    ...guarded(() => specProblems(task.spec, context.source)),
  ];
  if (problems.length > 0 || nodeName === undefined) return { problems };
  return { task: { ...task, spec: { ...task.spec, nodeName } } };
}

/** What must not differ between an object and the one that it was before; an old API server does not check it. */
export function immutabilityProblems(before: NodeTask, after: NodeTask): readonly Problem[] {
  return immutableFields
    .filter((field) => JSON.stringify(before.spec[field]) !== JSON.stringify(after.spec[field]))
    .map((field) => ({ path: `spec.${field}`, rule: 'never changes: delete the object and create it anew' }));
}

function annotationProblems(annotations: Readonly<Record<string, string>>): readonly Problem[] {
  const length = annotations[restartedAtAnnotation]?.length ?? 0;
  return length <= maxRestartedAtLength
    ? []
    : [{ path: `metadata.annotations["${restartedAtAnnotation}"]`, rule: 'must have at most 64 characters' }];
}

/** A rule that throws on what it did not expect is a fault of ours; the object is refused and the next one is looked at. */
function guarded(check: () => readonly Problem[]): readonly Problem[] {
  try {
    return check();
  } catch (error) {
    return [{ path: 'spec', rule: `cannot be checked: ${errorMessage(error)}` }];
  }
}

/** The same value without the fields that are null, which an API server takes as absent. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [name, withoutNulls(field)]),
  );
}
