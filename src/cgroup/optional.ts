/** Applies a function to what is there. */
export function map<T, U>(value: T | undefined, to: (value: T) => U): U | undefined {
  return value === undefined ? undefined : to(value);
}

/** An object without the properties that have no value; undefined when it would be empty. */
export function whereKnown<T extends object>(properties: { [K in keyof T]: T[K] | undefined }): T | undefined {
  const known: Record<string, unknown> = {};
  let any = false;
  for (const name in properties) {
    const value = properties[name];
    if (value === undefined) continue;
    known[name] = value;
    any = true;
  }
  return any ? (known as T) : undefined;
}
