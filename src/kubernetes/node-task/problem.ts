import type * as z from 'zod';

/** What is wrong with an object: the field and the rule that it breaks, in words that say what to do. */
export interface Problem {
  /** Such as `spec.volumes[0].name`; empty for the object as a whole. */
  readonly path: string;
  /** Such as `must be one of Created, Running, Paused, Stopped`. */
  readonly rule: string;
}

/** `path: rule` for one line of a log or message. */
export function problemText(problem: Problem): string {
  return problem.path ? `${problem.path}: ${problem.rule}` : problem.rule;
}

/** What zod found, in our words. Values are never repeated: an environment may hold secrets. */
export function toProblems(error: z.ZodError): readonly Problem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: fieldPath([...issue.path, key]), rule: 'is no known field: remove it' }));
    }
    return [{ path: fieldPath(issue.path), rule: ruleOf(issue) }];
  });
}

/** `['spec', 'env', 0, 'name']` → `spec.env[0].name`; keys that are no plain words stand in brackets. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((left, key) => {
    if (typeof key === 'number') return `${left}[${key}]`;
    const name = String(key);
    if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(name)) return `${left}[${JSON.stringify(name)}]`;
    return left ? `${left}.${name}` : name;
  }, '');
}

/** What exactly one of several optional fields must be; the path is that of the object that has them. */
export function oneOf(path: string, value: object, names: readonly string[]): readonly Problem[] {
  const present = names.filter((name) => name in value);
  if (present.length === 1) return [];
  const found = present.length === 0 ? 'there is none' : `there are ${present.join(' and ')}`;
  return [{ path, rule: `must have exactly one of ${names.join(', ')}; ${found}` }];
}

type Issue = z.core.$ZodIssue;

function ruleOf(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    return issue.message.endsWith('received undefined') ? 'is required' : typeRule(issue.expected);
  }
  if (issue.code === 'too_big') return `must ${bound(issue.origin, 'at most', issue.maximum)}`;
  if (issue.code === 'too_small') return `must ${bound(issue.origin, 'at least', issue.minimum)}`;
  if (issue.code === 'invalid_value') return `must be ${choices(issue.values.map((value) => String(value) || '""'))}`;
  return issue.message;
}

function choices(values: readonly string[]): string {
  return `${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string (put it in quotes)',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of fields',
  record: 'a map of names to values',
};

function typeRule(expected: string): string {
  return `must be ${typeNames[expected] ?? expected}`;
}

function bound(origin: string, most: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${most} ${limit} characters`;
  if (origin === 'array') return `have ${most} ${limit} items`;
  return `be ${most} ${limit}`;
}
