import { definitions, group, version } from './definitions.ts';
import type { Definition } from './definitions.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** The reference of every field of every kind, in Markdown. */
export function toReference(): string {
  return [
    '# API reference',
    '',
    `Every field of group \`${group}\`, version \`${version}\`. Made by \`scripts/crds.ts\` from the schemas in \`src/kubernetes/\`; what fields mean together is in [nodetask.md](nodetask.md).`,
    'A `*` marks what is required. The rules are checked by API servers that know CEL rules (1.29 and later) and by the agent itself.',
    ...definitions.flatMap(section),
    '',
  ].join('\n');
}

function section(definition: Definition): readonly string[] {
  const { kind, plural, shortName, description, schema } = definition;
  const { spec = {}, status = {} } = schema.properties ?? {};
  return [
    '',
    `## ${kind}`,
    '',
    `${description} Full name \`${plural}.${group}\`, short \`${shortName}\`.`,
    ...part('spec', spec),
    ...rules(schema),
    ...part('status', status),
  ];
}

function part(name: string, schema: StructuralSchema): readonly string[] {
  return ['', `### ${name}`, '', '| field | type | meaning |', '| --- | --- | --- |', ...rows(schema, '')];
}

function rows(schema: StructuralSchema, prefix: string): readonly string[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const mark = required.has(name) ? ' \\*' : '';
    const below = [...rows(field, `${path}.`), ...(field.items ? rows(field.items, `${path}[].`) : [])];
    return [`| \`${path}\`${mark} | ${cell(typeOf(field))} | ${cell(meaning(field))} |`].concat(below);
  });
}

function meaning(field: StructuralSchema): string {
  const preset =
    field.default === undefined || field.default === ''
      ? ''
      : ` Default \`${JSON.stringify(field.default).replaceAll('"', '')}\`.`;
  return `${field.description ?? ''}${preset}`;
}

function typeOf(field: StructuralSchema): string {
  if (field['x-kubernetes-int-or-string']) return 'quantity';
  if (field.enum) return field.enum.map((value) => `\`${String(value) || '""'}\``).join(', ');
  if (field.items) return `list of ${typeOf(field.items)}, at most ${field.maxItems}`;
  if (field.additionalProperties) return `map to ${typeOf(field.additionalProperties)}`;
  if (field.format === 'date-time') return 'time';
  return `${field.type}${range(field)}`;
}

function range(field: StructuralSchema): string {
  if (field.type === 'integer') return bounds(field.minimum, field.maximum);
  return field.maxLength === undefined ? '' : `, at most ${field.maxLength} characters`;
}

function bounds(low: number | undefined, high: number | undefined): string {
  return high === Number.MAX_SAFE_INTEGER ? `, ${low} or more` : `, ${low} to ${high}`;
}

function rules(schema: StructuralSchema): readonly string[] {
  const found = rulesBelow(schema, '');
  return found.length === 0 ? [] : ['', 'Rules:', '', ...found];
}

function rulesBelow(schema: StructuralSchema, path: string): readonly string[] {
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ message }) =>
      path ? `- \`${path}\`: ${message}` : `- ${message}`,
    ),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
      rulesBelow(field, path ? `${path}.${name}` : name),
    ),
    ...(schema.items ? rulesBelow(schema.items, `${path}[]`) : []),
  ];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
