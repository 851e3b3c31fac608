import * as z from 'zod';

/** The group and version of every resource of ours. */
export const apiVersion = 'runlet.dev/v1alpha1';

/** Longest path that the kernel takes, its ending zero included (PATH_MAX). */
const maxPathLength = 4096;

/** A list with bounds, as every list of the API has. */
export function list<T extends z.ZodType>(item: T, maxItems: number): z.ZodArray<T> {
  return z.array(item).max(maxItems);
}

/** A text with a length, as every text of the API has. */
export function text(maxLength: number): z.ZodString {
  return z.string().max(maxLength);
}

/** A text that must follow a pattern; `rule` says it in words, after "must". */
export function pattern(regex: RegExp, maxLength: number, rule: string): z.ZodString {
  return z
    .string()
    .max(maxLength)
    .regex(regex, { error: `must ${rule}` });
}

/** A text with known values that may get more: readers treat an unknown one as such, so the published schema stays open. */
export function openEnum<T extends string>(): z.ZodType<T> {
  return z.string().max(64) as unknown as z.ZodType<T>;
}

/** A number with a unit, such as `500m` or `64Mi`; a bare integer is one too. quantity.ts reads it. */
export const quantity = z
  .union([z.string().min(1).max(64), z.int()], { error: 'must be a quantity such as 500m or 64Mi' })
  .meta({ 'x-kubernetes-int-or-string': true });

/** Resource name → quantity. Which names are known is resources.ts's rule. */
export const quantities = z
  .record(z.string().max(64), quantity, { error: 'must be a map of resource names to quantities' })
  .meta({ maxProperties: 16 });

/** A label of a domain name (RFC 1123). */
export const dnsLabel = pattern(
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  63,
  'be lower-case letters, digits and hyphens, and begin and end with a letter or digit',
);

/** A name of an object of Kubernetes' own, such as a ConfigMap: a domain name. */
export const objectName = pattern(
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  253,
  'be lower-case letters, digits, hyphens and dots, and begin and end with a letter or digit',
);

/** The name of a NodeTask: also containerd's id of the task, whose rule is narrower than Kubernetes'. */
export const taskName = pattern(
  /^[a-z0-9]+([-.][a-z0-9]+)*$/,
  63,
  'be lower-case letters and digits, with single hyphens or dots between them',
);

/** A part of a path that is not `..`, perhaps empty; without look-ahead, which the regular expressions of API servers lack. */
const partOfPath = '(\\.\\.[^/\\0]+|\\.([^./\\0][^/\\0]*)?|[^./\\0][^/\\0]*)?';
const firstPartOfPath = partOfPath.slice(0, -1);

/** A path from the root without `..`, in the node or in the container. */
export const absolutePath = pattern(
  new RegExp(`^(/${partOfPath})+$`),
  maxPathLength - 1,
  'be an absolute path without ".." in it',
);

/** A path below a folder: no leading slash, no `..`. */
export const relativePath = pattern(
  new RegExp(`^(${firstPartOfPath}(/${partOfPath})*)?$`),
  maxPathLength - 1,
  'be a relative path without ".." in it',
);

/** A user or group id: the kernel keeps the highest for "none". */
export const userId = z.int().min(0).max(2_147_483_647);

/** A point in time, RFC 3339. */
export const time = z.string().max(64).meta({ format: 'date-time' });
