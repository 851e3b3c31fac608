import * as z from 'zod';

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

const spans: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A number of bytes, written as a Kubernetes quantity: `10Mi`, `500k`, `1048576`. */
export const bytes = z.union([z.string(), z.number()]).transform((value, context) => {
  const [, number, unit = ''] = /^(\d+)([kMG]|Ki|Mi|Gi)?$/.exec(String(value).trim()) ?? [];
  const size = Number(number) * (units[unit] ?? Number.NaN);
  if (Number.isSafeInteger(size) && size > 0) return size;
  context.addIssue('must be a size such as 10Mi, 500k or 1048576');
  return z.NEVER;
});

/** A span of time in milliseconds, written with its unit: `24h`, `90s`, `1h30m`; `0` is none. */
export const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const text = String(value).trim();
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|d)/g)];
  const total = parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (spans[unit] ?? 0), 0);
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text && Number.isSafeInteger(total)) return total;
  context.addIssue('must be a time such as 24h, 90s or 1h30m');
  return z.NEVER;
});

/** A path from the root of the file system, without a slash at its end. */
export const absolutePath = z
  .string('must be a path')
  .regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\0]*$/, 'must be an absolute path without "..": begin it with /')
  .transform((path) => path.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, ''));

/** The absolute path of a program that others look for by its name. */
export function programNamed(name: string): z.ZodType<string> {
  return absolutePath.refine((path) => path.endsWith(`/${name}`), `must be the path of a program named ${name}`);
}

/** Several paths: a list, or one text with colons between them, as PATH has it. */
export const paths = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(':').filter((part) => part !== '') : value),
  z.array(absolutePath, 'must be a list of paths').readonly(),
);

/** Several names: a list, or one text with commas between them. */
export const names = z.preprocess(
  (value) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
      : value,
  z.array(z.string('must be a text').min(1, 'must not be empty'), 'must be a list of names').readonly(),
);

/** true or false, as YAML, the environment and the command line write them. */
export const yesOrNo = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean('must be true or false'),
);

/** A whole number. */
export function wholeNumber(least: number, most: number): z.ZodType<number> {
  const rule = `must be a whole number from ${least} to ${most}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value),
    z.int(rule).min(least, rule).max(most, rule),
  );
}

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(...words: T): z.ZodEnum<{ [K in T[number]]: K }> {
  return z.enum(words, `must be one of ${words.join(', ')}`);
}

/** A text that is not empty. */
export const text = z.string('must be a text').min(1, 'must not be empty');

/** Where to listen: a host's address or name, a colon and a port; port 0 is any free one. IPv6 stands in brackets. */
export const hostAndPort = z.string('must be an address').transform((value, context) => {
  const [, six, other, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(value) ?? [];
  if (port !== undefined && Number(port) <= 65_535) return { host: six ?? (other || '::'), port: Number(port) };
  context.addIssue('must be HOST:PORT such as 127.0.0.1:9620 or [::1]:9620');
  return z.NEVER;
});
