import * as z from 'zod';
import { MalformedError } from '#errors/errors.ts';

const objectSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().min(1),
    namespace: z.string().min(1).optional(),
    uid: z.string().min(1),
    resourceVersion: z.string().min(1),
    generation: z.int().optional(),
    deletionTimestamp: z.string().optional(),
  }),
});

/** An object of an API server: what identifies it is known to be there, the rest is as it came. */
export type KubeObject = z.output<typeof objectSchema>;

/** Checks what identifies an object; who owns which field (`managedFields`) is left out, being half of its size. */
export function readObject(value: unknown): KubeObject {
  const result = objectSchema.safeParse(value);
  if (!result.success)
    throw new MalformedError('an object without name, uid or resourceVersion', { cause: result.error });
  const { metadata, ...rest } = result.data;
  const { managedFields: _, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
