import { load } from 'js-yaml';

/** One value of the chart: where it stands, what it is by default and what its comment says. */
export interface ChartValue {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly comment: string;
}

/** Values with a few known choices, by their path. */
const choices: Readonly<Record<string, readonly string[]>> = {
  'image.pullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'agent.logLevel': ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  'agent.logFormat': ['auto', 'json', 'text'],
  'agent.cgroupDriver': ['cgroupfs', 'systemd'],
  'agent.podSecurityDefault': ['privileged', 'baseline', 'restricted'],
  'agent.metricsProfile': ['basic', 'standard', 'full'],
  'agent.metricsAuth': ['', 'none', 'mtls', 'kubernetes', 'jwt'],
  'uninstall.policy': ['Keep', 'Stop'],
};

/** Values that are numbers or texts, as people write them. */
const numberOrText = new Set([
  'agent.budget.memory',
  'agent.budget.cpuWeight',
  'agent.budget.pids',
  'agent.maxUnavailable',
]);

/** Maps whose keys are the user's. */
const free = /(?:[Ll]abels|Annotations|affinity|nodeSelector|resources)$/;

/**
 * Reads values.yaml in its order. Every value has a comment of one or more lines right above it. Throws where one is missing,
 * naming it.
 */
export function readValues(text: string): readonly ChartValue[] {
  const all = load(text);
  const found: ChartValue[] = [];
  const path: { readonly indent: number; readonly name: string }[] = [];
  let comment: string[] = [];
  let inside: number | undefined;
  for (const line of text.split('\n')) {
    const [, spaces = '', name] = /^( *)([A-Za-z]\w*):/.exec(line) ?? [];
    const indent = spaces.length;
    if (inside !== undefined && (line.trim() === '' || indent > inside || /^\s*-/.test(line))) continue;
    const [, note] = /^\s*# ?(.*)$/.exec(line) ?? [];
    if (note !== undefined) comment.push(note);
    else if (name === undefined) comment = [];
    else {
      inside = undefined;
      while (path.length > 0 && (path.at(-1)?.indent ?? 0) >= indent) path.pop();
      path.push({ indent, name });
      const names = path.map((each) => each.name);
      const value = names.reduce<unknown>((left, key) => (left as Record<string, unknown>)[key], all);
      if (isSection(names, value)) {
        comment = [];
        continue;
      }
      if (comment.length === 0) throw new Error(`values.yaml: ${names.join('.')} has no comment`);
      found.push({ path: names, value, comment: comment.join(' ') });
      comment = [];
      if (typeof value === 'object') inside = indent;
    }
  }
  return found;
}

function isSection(path: readonly string[], value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length > 0 && !free.test(path.join('.'));
}

/** A schema that refuses every name that is not there: a typo would else be no error. */
export function toSchema(values: readonly ChartValue[]): object {
  const schema = section('Values of the runlet chart');
  for (const { path, value, comment } of values) {
    let at = schema;
    for (const name of path.slice(0, -1)) at = (at.properties[name] ??= section(name)) as Section;
    const last = path.at(-1) ?? '';
    at.properties[last] = { description: comment, ...valueSchema(path.join('.'), value) };
  }
  // Helm's own, which every chart may be given.
  schema.properties['global'] = { type: 'object' };
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...schema };
}

interface Section {
  readonly type: 'object';
  readonly title: string;
  readonly additionalProperties: false;
  readonly properties: Record<string, object>;
}

function section(title: string): Section {
  return { type: 'object', title, additionalProperties: false, properties: {} };
}

function valueSchema(path: string, value: unknown): object {
  const known = choices[path];
  if (known) return { enum: known };
  if (numberOrText.has(path)) return { type: ['string', 'integer'] };
  if (Array.isArray(value)) return { type: 'array' };
  if (typeof value === 'object') return { type: 'object' };
  return typeof value === 'number' ? { type: 'integer', minimum: 0 } : { type: typeof value };
}

/** A table for people: name, default, meaning. */
export function toTable(values: readonly ChartValue[]): string {
  const rows = values.map(({ path, value, comment }) => {
    const shown = JSON.stringify(value);
    return `| \`${path.join('.')}\` | \`${shown}\` | ${comment.replaceAll('|', String.raw`\|`)} |\n`;
  });
  return `| value | default | meaning |\n| --- | --- | --- |\n${rows.join('')}`;
}
