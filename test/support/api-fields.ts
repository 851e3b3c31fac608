import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A type in the words of the models, such as `Array<V1Container>`, with `!` behind it when the field is required. */
export type Field = string;

/** Models by name, their fields by name. */
export type Models = Readonly<Record<string, Readonly<Record<string, Field>>>>;

export interface ApiFields {
  readonly sources: readonly string[];
  /** By minor version. */
  readonly versions: Readonly<Record<string, Models>>;
  /** The kinds of the Prometheus operator; what they take from Kubernetes is in the newest version. */
  readonly operator: Models;
}

/** The kinds that the chart may render. */
export const renderedKinds: readonly string[] = [
  ...['ClusterRole', 'ClusterRoleBinding', 'ConfigMap', 'CustomResourceDefinition', 'DaemonSet', 'Deployment', 'Job'],
  ...['NetworkPolicy', 'Pod', 'Role', 'RoleBinding', 'Secret', 'ServiceAccount', 'ValidatingAdmissionPolicy'],
  'ValidatingAdmissionPolicyBinding',
];
export const operatorKinds: readonly string[] = ['PodMonitor', 'PrometheusRule'];

const file = join(import.meta.dirname, '../fixtures/kubernetes-api/fields.json');

/** The fields of the API's kinds as scripts/kubernetes-fields.ts has written them. */
export function readApiFields(): ApiFields {
  return JSON.parse(readFileSync(file, 'utf8')) as ApiFields;
}

/**
 * What is wrong with an object by the models: fields that its kind does not have, that it lacks, or of another type. A type
 * without a model, such as `any`, may be anything.
 */
export function fieldProblems(models: Models, type: string, value: unknown, path = ''): readonly string[] {
  if (value === null) return [`${path}: null`];
  const item = /^Array<(.*)>$/.exec(type)?.[1];
  if (item !== undefined) {
    if (!Array.isArray(value)) return [`${path}: no list`];
    return value.flatMap((each, index) => fieldProblems(models, item, each, `${path}[${index}]`));
  }
  const entry = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (entry !== undefined) return eachField(value, path, (name) => ({ type: entry, name, models }));
  const model = models[type];
  if (!model) return primitiveProblem(type, value, path);
  const lacking = Object.entries(model).filter(([name, field]) => field.endsWith('!') && !(name in Object(value)));
  return [
    ...lacking.map(([name]) => `${path}.${name}: is required`),
    ...eachField(value, path, (name) => ({ type: model[name]?.replace(/!$/, ''), name, models })),
  ];
}

function eachField(
  value: unknown,
  path: string,
  of: (name: string) => { readonly type: string | undefined; readonly models: Models },
): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: no object`];
  return Object.entries(value).flatMap(([name, each]) => {
    const { type, models } = of(name);
    return type === undefined
      ? [`${path}.${name}: no such field`]
      : fieldProblems(models, type, each, `${path}.${name}`);
  });
}

function primitiveProblem(type: string, value: unknown, path: string): readonly string[] {
  const good: Readonly<Record<string, (it: unknown) => boolean>> = {
    string: (it) => typeof it === 'string',
    number: (it) => typeof it === 'number',
    boolean: (it) => typeof it === 'boolean',
    IntOrString: (it) => typeof it === 'string' || Number.isInteger(it),
  };
  return good[type]?.(value) === false ? [`${path}: ${JSON.stringify(value)} is no ${type}`] : [];
}
