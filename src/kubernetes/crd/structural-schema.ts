import * as z from 'zod';
import { RunletError } from '#errors/errors.ts';

/** A node of a CRD's schema: OpenAPI 3 in the form that Kubernetes calls structural. */
export interface StructuralSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly anyOf?: readonly StructuralSchema[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** A rule in CEL. `fieldPath` is left to the server: the rule stands where the fault is. */
export interface ValidationRule {
  readonly rule: string;
  readonly message: string;
}

/** A number with a unit as a text: quantity.ts's grammar, for the regular expressions of Go. */
const quantityPattern = '^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]+)?$';

/** JSON schema as zod writes it; only the keywords that our schemas use. */
type JsonSchema = Readonly<Record<string, unknown>> & {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
};

/** What may be copied as it is. */
const copied = [
  'type',
  'description',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;

/** The structural schema of what a zod schema takes. Throws RunletError for what Kubernetes cannot say. */
export function toStructuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' }) as JsonSchema, '');
}

function convert(json: JsonSchema, path: string): StructuralSchema {
  if (json['x-kubernetes-int-or-string']) return quantityNode(json);
  if (typeof json['type'] !== 'string') throw new RunletError('internal', `${path}: has no type`);
  const node: Record<string, unknown> = Object.fromEntries(
    copied.filter((key) => json[key] !== undefined).map((key) => [key, json[key]]),
  );
  if (json['const'] !== undefined) node['enum'] = [json['const']];
  if (json['type'] === 'integer') node['format'] = 'int64';
  if (json['format'] === 'date-time') node['format'] = 'date-time';
  if (json.properties) {
    node['properties'] = Object.fromEntries(
      Object.entries(json.properties).map(([name, child]) => [name, convert(child, `${path}.${name}`)]),
    );
  } else if (typeof json.additionalProperties === 'object') {
    node['additionalProperties'] = convert(json.additionalProperties, `${path}.*`);
  }
  if (json.items) {
    node['items'] = convert(json.items, `${path}[]`);
    node['x-kubernetes-list-type'] ??= 'atomic';
  }
  return node;
}

function quantityNode(json: JsonSchema): StructuralSchema {
  return {
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    ...(typeof json['description'] === 'string' ? { description: json['description'] } : {}),
    pattern: quantityPattern,
    maxLength: 64,
    'x-kubernetes-int-or-string': true,
  };
}
