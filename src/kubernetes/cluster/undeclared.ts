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
