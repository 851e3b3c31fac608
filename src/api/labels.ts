import { InvalidArgumentError } from '#errors/errors.ts';

/** The most bytes of a label's key and value together, as in containerd. */
const maxLabelBytes = 4096;

/** Throws InvalidArgumentError for a label that is too long; there is no other rule. */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) {
    if (Buffer.byteLength(key) + Buffer.byteLength(value) <= maxLabelBytes) continue;
    throw new InvalidArgumentError(
      `label key and value greater than maximum size (${maxLabelBytes} bytes), key: ${key.slice(0, 10)}: invalid argument`,
    );
  }
}

/** Labels without those that are set to nothing. */
export function withoutEmpty(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

/** A label by the path that a filter names, whose dots may belong to the key; undefined where there is none. */
export function labelField(labels: Readonly<Record<string, string>>, path: readonly string[]): string | undefined {
  return labels[path.join('.')];
}
