import { KubernetesError } from '../client/kubernetes-error.ts';

/**
 * The fields that a server's CRD does not declare, read from its refusal of a server-side apply: paths from the object's root,
 * `[]` for the items of lists. Empty when it refused for another reason.
 */
export function undeclaredFields(error: unknown): readonly string[] {
  if (!(error instanceof KubernetesError)) return [];
  return [...error.said.matchAll(/(\.[^\s:]+(?:\[[^\]]*\][^\s:]*)*): field not declared in schema/g)].map(
    ([, path = '']) => path.slice(1).replaceAll(/\[[^\]]*\]/g, '[]'),
  );
}

/**
 * The fields that were sent and do not stand in the answer: old servers drop what their CRD does not declare without a word.
 * Paths as above, `path` being that of the value; where items of a list differ in number nothing is said of them.
 */
export function missingFields(sent: unknown, answered: unknown, path: string): readonly string[] {
  if (Array.isArray(sent)) {
    if (!Array.isArray(answered) || answered.length !== sent.length) return [];
    return [...new Set(sent.flatMap((item, index) => missingFields(item, answered[index], `${path}[]`)))];
  }
  if (!isFields(sent) || !isFields(answered)) return [];
  return Object.entries(sent).flatMap(([name, value]) => {
    if (value === undefined || isEmpty(value)) return [];
    if (answered[name] === undefined) return [`${path}.${name}`];
    return missingFields(value, answered[name], `${path}.${name}`);
  });
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Servers may leave out what is empty. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** The value without the field of this path. */
export function withoutField(value: unknown, path: string): unknown {
  return without(value, path.split(/\.|(?=\[\])/));
}

function without(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === '[]') return Array.isArray(value) ? value.map((item) => without(item, rest)) : value;
  if (step === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { [step]: field, ...others } = value as Record<string, unknown>;
  if (field === undefined || rest.length === 0) return others;
  return { ...others, [step]: without(field, rest) };
}
