import { TerminalError, UnavailableError } from '#errors/errors.ts';
import type { ConfigData, ConfigSource } from './config-source.ts';
import type { EnvFrom, EnvVar, NodeTask } from './types.ts';

/** The variables that a NodeTask itself sets, in order; the image's are not among them. */
export type Variables = ReadonlyMap<string, string>;

/**
 * The values of `spec.envFrom` and `spec.env`: later ones win, `$(NAME)` is replaced by what stands before. Throws
 * UnavailableError naming the field for what is not there yet, and what the source throws.
 */
export async function resolveVariables(task: NodeTask, source: ConfigSource): Promise<Variables> {
  const variables = new Map<string, string>();
  for (const [index, from] of (task.spec.envFrom ?? []).entries()) {
    const data = await readAll(from, task.metadata.namespace, source, `spec.envFrom[${index}]`);
    for (const [key, value] of data) variables.set(`${from.prefix ?? ''}${key}`, decode(value));
  }
  for (const [index, variable] of (task.spec.env ?? []).entries()) {
    const value = await valueOf(variable, task, source, `spec.env[${index}]`);
    if (value !== undefined) variables.set(variable.name, variable.valueFrom ? value : expand(value, variables));
  }
  return variables;
}

/** Replaces `$(NAME)` by the variable's value; what is not known stays as it is, and `$$` is one dollar. As a Pod's. */
export function expand(text: string, variables: Variables): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? '$' : (variables.get(name) ?? match),
  );
}

/** `NAME=value` of the whole environment: the image's variables first, then the task's over them. */
export function toEnvironment(
  imageEnv: readonly string[],
  variables: Variables,
  defaults: Readonly<Record<string, string>>,
): readonly string[] {
  const all = new Map(Object.entries(defaults));
  for (const entry of imageEnv) {
    const at = entry.indexOf('=');
    if (at > 0) all.set(entry.slice(0, at), entry.slice(at + 1));
  }
  for (const [name, value] of variables) all.set(name, value);
  return [...all].map(([name, value]) => `${name}=${value}`);
}

async function valueOf(
  variable: EnvVar,
  task: NodeTask,
  source: ConfigSource,
  path: string,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (!from) return variable.value ?? '';
  if (from.fieldRef) return fieldValue(task, from.fieldRef.fieldPath);
  const reference = from.configMapKeyRef ?? from.secretKeyRef;
  if (!reference) return '';
  const kind = from.configMapKeyRef ? 'ConfigMap' : 'Secret';
  const { namespace } = task.metadata;
  const data = await read(kind, { namespace, name: reference.name }, source);
  const value = data?.get(reference.key);
  if (value !== undefined) return decode(value);
  if (reference.optional) return undefined;
  const what = data ? `${kind} ${reference.name} has no key ${reference.key}` : `there is no ${kind} ${reference.name}`;
  throw new UnavailableError(`${path}: ${what} in namespace ${namespace}: make it, or mark the reference optional`);
}

function fieldValue(
  task: NodeTask,
  fieldPath: NonNullable<NonNullable<EnvVar['valueFrom']>['fieldRef']>['fieldPath'],
): string {
  switch (fieldPath) {
    case 'metadata.name':
      return task.metadata.name;
    case 'metadata.namespace':
      return task.metadata.namespace;
    case 'metadata.uid':
      return task.metadata.uid ?? '';
    case 'spec.nodeName':
      return task.spec.nodeName;
    default:
      return fieldPath satisfies never;
  }
}

async function readAll(from: EnvFrom, namespace: string, source: ConfigSource, path: string): Promise<ConfigData> {
  const reference = from.configMapRef ?? from.secretRef;
  if (!reference) throw new TerminalError('InvalidSpec', `${path} names neither configMapRef nor secretRef`);
  const kind = from.configMapRef ? 'ConfigMap' : 'Secret';
  const data = await read(kind, { namespace, name: reference.name }, source);
  if (data) return data;
  if (reference.optional) return new Map();
  throw new UnavailableError(
    `${path}: there is no ${kind} ${reference.name} in namespace ${namespace}: make it, or mark the reference optional`,
  );
}

async function read(
  kind: 'ConfigMap' | 'Secret',
  object: { readonly namespace: string; readonly name: string },
  source: ConfigSource,
): Promise<ConfigData | undefined> {
  const { namespace, name } = object;
  return await (kind === 'ConfigMap' ? source.configMap(namespace, name) : source.secret(namespace, name));
}

function decode(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
