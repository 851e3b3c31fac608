import type { Add, Value } from '../row.ts';

/** Adds a series for each name that has a value, with the name as its label. */
export function eachKnown(
  names: readonly string[],
  values: Readonly<Record<string, Value | undefined>> | object | undefined,
  add: Add,
): void {
  if (!values) return;
  const known = values as Readonly<Record<string, Value | undefined>>;
  for (const name of names) add(known[name], name);
}
