import * as z from 'zod';
import { objectName, pattern, text } from './fields.ts';

/** What a fieldRef may name. */
export const fieldPaths = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName'] as const;

const keyRef = z.strictObject({
  name: objectName.describe('Name of the object.'),
  key: text(253).min(1).describe('The key in its data.'),
  optional: z
    .boolean()
    .exactOptional()
    .describe('Whether object or key may be absent; there is no such variable then.'),
});

const variableName = pattern(/^[^=\0]+$/, 512, 'be the name of a variable: not empty and without "="');

/** One of `spec.env`: a name, and a value or where to take it from. */
export const envVarSchema = z.strictObject({
  name: variableName.describe('Name of the variable.'),
  value: text(131_072)
    .exactOptional()
    .describe('Its value. $(NAME) is replaced by a variable that stands before it; $$(NAME) is the text $(NAME).'),
  valueFrom: z
    .strictObject({
      fieldRef: z
        .strictObject({ fieldPath: z.enum(fieldPaths).describe('The field.') })
        .exactOptional()
        .describe('A field of this object.'),
      configMapKeyRef: keyRef.exactOptional().describe('A key of a ConfigMap of the same namespace.'),
      secretKeyRef: keyRef.exactOptional().describe('A key of a Secret of the same namespace.'),
    })
    .exactOptional()
    .describe('Where the value comes from; not together with value.'),
});

const objectRef = z.strictObject({
  name: objectName.describe('Name of the object.'),
  optional: z.boolean().exactOptional().describe('Whether it may be absent.'),
});

/** One of `spec.envFrom`: every key of an object becomes a variable. */
export const envFromSchema = z.strictObject({
  prefix: text(253).exactOptional().describe('Put before every name.'),
  configMapRef: objectRef.exactOptional().describe('A ConfigMap of the same namespace.'),
  secretRef: objectRef.exactOptional().describe('A Secret of the same namespace.'),
});
