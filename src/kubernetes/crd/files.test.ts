import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { definitions } from './definitions.ts';
import { generatedFiles } from './files.ts';
import { place } from './place.ts';
import type { StructuralSchema } from './structural-schema.ts';

const root = join(import.meta.dirname, '../../..');

describe('generated files', () => {
  it.each([...generatedFiles().keys()])('%s is what the schemas say (else: node scripts/crds.ts)', (path) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(generatedFiles().get(path));
  });
});

describe.each(definitions.map((definition) => [definition.kind, definition.schema] as const))('%s', (_kind, schema) => {
  const nodes = [...everyNode(schema, '')].filter(([path]) => path !== '' && path !== '.metadata');

  it('describes every field', () => {
    const fields = nodes.filter(([path]) => !/(\[\]|\*)$/.test(path));
    expect(fields.filter(([, node]) => !node.description).map(([path]) => path)).toEqual([]);
  });

  it('bounds every text, list, map and number', () => {
    expect(nodes.filter(([, node]) => !isBounded(node)).map(([path]) => path)).toEqual([]);
  });

  it('keeps states open, so that a newer agent may say more', () => {
    const state = nodes.find(([path]) => path === '.status.state')?.[1];
    expect(state?.type).toBe('string');
    expect(state?.enum).toBeUndefined();
  });

  it('writes patterns that Go understands: without look-ahead', () => {
    expect(nodes.filter(([, node]) => node.pattern?.includes('(?!')).map(([path]) => path)).toEqual([]);
  });
});

describe('place', () => {
  it('refuses a place that is not there, so that no rule is lost', () => {
    expect(() => place({ type: 'object', properties: {} }, 'spec.gone', (at) => at)).toThrow('no place spec.gone');
  });

  it('reaches the items of lists', () => {
    const schema = { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } };
    expect(place(schema, '[].name', (at) => ({ ...at, maxLength: 5 }))).toEqual({
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
    });
  });
});

function* everyNode(schema: StructuralSchema, path: string): Iterable<readonly [string, StructuralSchema]> {
  yield [path, schema];
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* everyNode(child, `${path}.${name}`);
  if (schema.items) yield* everyNode(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* everyNode(schema.additionalProperties, `${path}.*`);
}

function isBounded(node: StructuralSchema): boolean {
  if (node.type === 'string') return node.maxLength !== undefined || node.enum !== undefined;
  if (node.type === 'integer') return node.minimum !== undefined && node.maximum !== undefined;
  if (node.type === 'array') return node.maxItems !== undefined;
  if (node.additionalProperties) return node.maxProperties !== undefined;
  return true;
}
