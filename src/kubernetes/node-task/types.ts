import type * as z from 'zod';
import type { metadataSchema, specSchema } from './schema.ts';
import type { conditionSchema, statusSchema } from './schema-status.ts';

export type { ConditionType, TaskState } from './schema-status.ts';

/** What was parsed is never changed. */
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** A NodeTask that passed validation, defaults filled in. */
export interface NodeTask {
  readonly apiVersion: 'runlet.dev/v1alpha1';
  readonly kind: 'NodeTask';
  readonly metadata: NodeTaskMetadata;
  readonly spec: NodeTaskSpec;
  /** As it was read; only the agent that owns it knows whether it is true. */
  readonly status?: unknown;
}

export type NodeTaskMetadata = Frozen<z.output<typeof metadataSchema>>;
/** `nodeName` is there in every validated task: validation fills in the agent's own where the source allows it. */
export type NodeTaskSpec = Frozen<z.output<typeof specSchema>> & { readonly nodeName: string };
export type NodeTaskStatus = Frozen<z.output<typeof statusSchema>>;
export type Condition = Frozen<z.output<typeof conditionSchema>>;
export type LastTermination = NonNullable<NodeTaskStatus['lastTermination']>;

export type RunState = NodeTaskSpec['runState'];
export type Resources = NonNullable<NodeTaskSpec['resources']>;
export type SecurityContext = NonNullable<NodeTaskSpec['securityContext']>;
export type Volume = NonNullable<NodeTaskSpec['volumes']>[number];
export type VolumeMount = NonNullable<NodeTaskSpec['volumeMounts']>[number];
export type EnvVar = NonNullable<NodeTaskSpec['env']>[number];
export type EnvFrom = NonNullable<NodeTaskSpec['envFrom']>[number];
/** A quantity as it was written, checked; quantity.ts reads it. */
export type QuantityText = string | number;
