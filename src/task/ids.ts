import { InvalidArgumentError } from '#errors/errors.ts';

declare const brand: unique symbol;

/** containerd's namespace: tasks of one are invisible in another. Made only by parseNamespace, which checks it. */
export type Namespace = string & { readonly [brand]: 'Namespace' };
/** The id of a container and of its task, unique in a namespace. Made only by parseTaskId. */
export type TaskId = string & { readonly [brand]: 'TaskId' };
/** The id of an additional process of a task, unique in the task. Made only by parseExecId. */
export type ExecId = string & { readonly [brand]: 'ExecId' };

/** containerd's rule for identifiers; its length is counted in bytes. */
const identifier = /^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$/;
const maxIdentifierBytes = 76;

export function parseNamespace(text: string): Namespace {
  if (text === '')
    throw new InvalidArgumentError('namespace validation: identifier must not be empty: invalid argument');
  check(text, 'namespace validation: ');
  return text as Namespace;
}

export function parseTaskId(text: string): TaskId {
  check(text, '');
  return text as TaskId;
}

export function parseExecId(text: string): ExecId {
  if (text === '') throw new InvalidArgumentError('exec id cannot be empty');
  check(text, `invalid exec id ${text}: `);
  return text as ExecId;
}

/** Whether a text may name a namespace, task or exec. */
export function isIdentifier(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= maxIdentifierBytes && identifier.test(text);
}

function check(text: string, prefix: string): void {
  const problem = identifierProblem(text);
  if (problem) throw new InvalidArgumentError(`${prefix}${problem}: invalid argument`);
}

function identifierProblem(text: string): string | undefined {
  if (text === '') return 'identifier must not be empty';
  if (Buffer.byteLength(text) > maxIdentifierBytes) {
    return `identifier "${text}" greater than maximum length (${maxIdentifierBytes} characters)`;
  }
  return identifier.test(text) ? undefined : `identifier "${text}" must match ${identifier.source}`;
}

/** A task's full name on the node. */
export interface TaskRef {
  readonly namespace: Namespace;
  readonly id: TaskId;
}

/** `namespace/id`, as messages and keys of maps have it: no identifier holds a slash. */
export function refKey(ref: TaskRef): string {
  return `${ref.namespace}/${ref.id}`;
}
