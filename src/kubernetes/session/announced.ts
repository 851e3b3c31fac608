import * as z from 'zod';
import type { KubeObject } from '../client/object.ts';
import { problemText, toProblems } from '../node-task/problem.ts';
import { withoutNulls } from '../node-task/validate.ts';
import { defaultTtlSeconds } from '../one-shot/schema.ts';
import type { ObjectIdentity } from '../reconcile/source.ts';
import { SessionRefusedError } from './record.ts';
import {
  attachSessionSpecSchema,
  execSessionSpecSchema,
  logSessionSpecSchema,
  topSessionSpecSchema,
  type SessionKind,
} from './schema.ts';

export type ExecSessionSpec = z.output<typeof execSessionSpecSchema>;
export type AttachSessionSpec = z.output<typeof attachSessionSpecSchema>;
type ReadSessionSpec = z.output<typeof logSessionSpecSchema>;

/** What a session is to be, checked. */
export type SessionAsked =
  | { readonly kind: 'NodeTaskExecSession'; readonly spec: ExecSessionSpec }
  | { readonly kind: 'NodeTaskAttachSession'; readonly spec: AttachSessionSpec }
  | { readonly kind: 'NodeTaskLogSession' | 'NodeTaskTopSession'; readonly spec: ReadSessionSpec };

/** An object that announces a session. */
export interface AnnouncedSession extends ObjectIdentity {
  readonly kind: SessionKind;
  readonly generation: number;
  /** By the API server's clock. */
  readonly createdAtMs: number;
  readonly deleting: boolean;
  readonly nodeName: string;
  readonly ttlSeconds: number;
  /** Absent when the specification is wrong; then `problem` says why. */
  readonly asked?: SessionAsked;
  readonly problem?: string;
  /** What its status says; only agents write it. */
  readonly state?: string;
}

const looseSchema = z.looseObject({
  nodeName: z.string().catch(''),
  ttlSecondsAfterFinished: z.number().catch(defaultTtlSeconds),
});
const reportedSchema = z.looseObject({ state: z.string().optional().catch(undefined) });

/** Reads it as the API server has it. Pure, never throws: what is wrong with it is a part of the result. */
export function readSession(kind: SessionKind, object: KubeObject): AnnouncedSession {
  const { metadata } = object;
  const given = withoutNulls(object['spec'] ?? {});
  const loose = looseSchema.catch({ nodeName: '', ttlSecondsAfterFinished: defaultTtlSeconds }).parse(given);
  const { state } = reportedSchema.catch({}).parse(object['status'] ?? {});
  const created = metadata['creationTimestamp'];
  return {
    ...{ kind, name: metadata.name, namespace: metadata.namespace ?? 'default', uid: metadata.uid },
    generation: metadata.generation ?? 0,
    createdAtMs: typeof created === 'string' ? Date.parse(created) : 0,
    deleting: metadata.deletionTimestamp !== undefined,
    nodeName: loose.nodeName,
    ttlSeconds: loose.ttlSecondsAfterFinished,
    ...readAsked(kind, given),
    ...(state === undefined ? {} : { state }),
  };
}

/** What stands against a session whatever the secret says. */
export function refusalOf(
  session: AnnouncedSession,
  view: { readonly nodeName: string; readonly taken: boolean; readonly serverNowMs: number },
): SessionRefusedError | undefined {
  const { kind, namespace, name, asked, state } = session;
  const what = `${kind} ${namespace}/${name}`;
  if (session.deleting) return new SessionRefusedError('not-found', 'Deleted', `${what} is being deleted`);
  if (session.nodeName !== view.nodeName) {
    const where = `${what} is for node ${session.nodeName}, and this is the agent of ${view.nodeName}`;
    return new SessionRefusedError('failed-precondition', 'NodeMismatch', where);
  }
  if (view.taken || (state !== undefined && state !== 'Pending')) {
    return new SessionRefusedError('failed-precondition', 'Used', `${what} has been used: its secret is good once`);
  }
  if (!asked) return new SessionRefusedError('invalid-argument', 'InvalidSpec', `${what}: ${session.problem}`);
  const { startDeadlineSeconds } = asked.spec;
  const lateMs = view.serverNowMs - session.createdAtMs - startDeadlineSeconds * 1000;
  if (lateMs <= 0) return undefined;
  const late = `its stream was to be opened within ${startDeadlineSeconds} s, which are over since ${Math.ceil(lateMs / 1000)} s`;
  return new SessionRefusedError('deadline-exceeded', 'StartDeadlineExceeded', `${what}: ${late}`);
}

function readAsked(kind: SessionKind, spec: unknown): Pick<AnnouncedSession, 'asked' | 'problem'> {
  switch (kind) {
    case 'NodeTaskExecSession':
      return checked(execSessionSpecSchema, spec, (right) => ({ kind, spec: right }));
    case 'NodeTaskAttachSession':
      return checked(attachSessionSpecSchema, spec, (right) => ({ kind, spec: right }));
    case 'NodeTaskLogSession':
      return checked(logSessionSpecSchema, spec, (right) => ({ kind, spec: right }));
    case 'NodeTaskTopSession':
      return checked(topSessionSpecSchema, spec, (right) => ({ kind, spec: right }));
  }
}

function checked<S extends z.ZodType>(
  schema: S,
  spec: unknown,
  to: (right: z.output<S>) => SessionAsked,
): Pick<AnnouncedSession, 'asked' | 'problem'> {
  const parsed = schema.safeParse(spec);
  if (parsed.success) return { asked: to(parsed.data) };
  const problems = toProblems(parsed.error).map(({ path, rule }) => ({ path: path ? `spec.${path}` : 'spec', rule }));
  return { problem: problems.map(problemText).join('; ') };
}
