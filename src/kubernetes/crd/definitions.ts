import { publishedSchema } from '#kubernetes/node-task/schema.ts';
import { publishedOneShotSchemas } from '#kubernetes/one-shot/schema.ts';
import { publishedSessionSchemas } from '#kubernetes/session/schema.ts';
import { place, setListType } from './place.ts';
import { nodeTaskRules, oneShotRules, sessionRules } from './rules.ts';
import type { PlacedRule } from './rules.ts';
import { toStructuralSchema } from './structural-schema.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** A column of `kubectl get`; those with priority 1 show with `-o wide`. */
interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly priority?: 1;
}

/** What makes one kind's CustomResourceDefinition. */
export interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly description: string;
  readonly schema: StructuralSchema;
  readonly selectableFields: readonly string[];
  readonly columns: readonly Column[];
}

/** The group of every kind of ours. */
export const group = 'runlet.dev';
/** Its only version. */
export const version = 'v1alpha1';

const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const node: Column = { name: 'Node', type: 'string', jsonPath: '.spec.nodeName' };
const state: Column = { name: 'State', type: 'string', jsonPath: '.status.state' };
const task: Column = { name: 'Task', type: 'string', jsonPath: '.spec.taskName' };
const reason: Column = { name: 'Reason', type: 'string', jsonPath: '.status.reason' };
const requestedBy: Column = {
  name: 'Requested-By',
  type: 'string',
  jsonPath: '.spec.requestedBy',
  priority: 1,
};

const nodeTask: Definition = {
  kind: 'NodeTask',
  plural: 'nodetasks',
  singular: 'nodetask',
  shortName: 'rlt',
  description:
    'A task that one node runs: a program in a container, with what it should be (made, running, paused, stopped) as desired state.',
  schema: nodeTaskSchema(),
  selectableFields: ['.spec.nodeName'],
  columns: [
    node,
    state,
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: 'Restarts', type: 'integer', jsonPath: '.status.restartCount' },
    age,
    { name: 'Image', type: 'string', jsonPath: '.spec.image', priority: 1 },
    { name: 'PID', type: 'integer', jsonPath: '.status.pid', priority: 1 },
    { name: 'Exit', type: 'integer', jsonPath: '.status.exitStatus', priority: 1 },
  ],
};

const exec: Definition = {
  ...oneShot('NodeTaskExec', 'rltx'),
  description: 'One run of a program in a task’s container, with its exit and the beginning and end of its output.',
  columns: [
    node,
    task,
    state,
    reason,
    { name: 'Exit', type: 'integer', jsonPath: '.status.exitStatus' },
    age,
    requestedBy,
  ],
};

const signal: Definition = {
  ...oneShot('NodeTaskSignal', 'rlts'),
  description: 'One signal to a task.',
  columns: [node, task, { name: 'Signal', type: 'string', jsonPath: '.spec.signal' }, state, reason, age, requestedBy],
};

const checkpoint: Definition = {
  ...oneShot('NodeTaskCheckpoint', 'rltc'),
  description: 'The state of a task, kept on its node’s disk. Deleting the object deletes the data.',
  columns: [
    node,
    task,
    state,
    reason,
    { name: 'Bytes', type: 'integer', jsonPath: '.status.sizeBytes' },
    age,
    requestedBy,
  ],
};

const sessions: readonly Definition[] = [
  session('NodeTaskExecSession', 'rltxs', 'A program in a task’s container with a stream to whoever asked for it.'),
  session('NodeTaskAttachSession', 'rltas', 'A stream to and from a task’s first process.'),
  session('NodeTaskLogSession', 'rltls', 'A stream of the lines of a task’s log.'),
  session('NodeTaskTopSession', 'rltts', 'A stream of what a task uses.'),
];

/** Every kind of ours, in the order of the documentation. */
export const definitions: readonly Definition[] = [nodeTask, exec, signal, checkpoint, ...sessions];

/** The CustomResourceDefinition as it is sent to an API server. */
export function toCustomResourceDefinition(definition: Definition): Record<string, unknown> {
  const { kind, plural, singular, shortName } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: ['runlet'] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          selectableFields: definition.selectableFields.map((jsonPath) => ({ jsonPath })),
          additionalPrinterColumns: definition.columns,
          schema: { openAPIV3Schema: { ...definition.schema, description: definition.description } },
        },
      ],
    },
  };
}

function nodeTaskSchema(): StructuralSchema {
  const schema = toStructuralSchema(publishedSchema);
  const typed = [
    ['spec.volumes', 'name'],
    ['spec.volumeMounts', 'mountPath'],
    ['spec.resources.io.devices', 'device'],
  ].reduce((left, [path = '', key = '']) => setListType(left, path, key), wholeObject(schema));
  return withRules(required(typed, 'nodeName'), nodeTaskRules);
}

function oneShot(kind: keyof typeof publishedOneShotSchemas, shortName: string): Omit<Definition, 'columns'> {
  const schema = withRules(wholeObject(toStructuralSchema(publishedOneShotSchemas[kind])), oneShotRules[kind]);
  return { ...request(kind, shortName), description: '', schema };
}

/** It has the columns of every request and who it is for. */
function session(kind: keyof typeof publishedSessionSchemas, shortName: string, description: string): Definition {
  const schema = withRules(wholeObject(toStructuralSchema(publishedSessionSchemas[kind])), sessionRules);
  const exit: Column = { name: 'Exit', type: 'integer', jsonPath: '.status.exitStatus' };
  const recording: Column = { name: 'Recording', type: 'string', jsonPath: '.status.recording', priority: 1 };
  const columns = [node, task, state, reason, exit, age, requestedBy, recording];
  return { ...request(kind, shortName), description, schema, columns };
}

function request(
  kind: string,
  shortName: string,
): Pick<Definition, 'kind' | 'plural' | 'singular' | 'shortName' | 'selectableFields'> {
  const singular = kind.toLowerCase();
  const selectableFields = ['.spec.nodeName', '.spec.taskName'];
  return { kind, plural: `${singular}s`, singular, shortName, selectableFields };
}

/** The fields that every object has, and what spec and status are. */
function wholeObject(schema: StructuralSchema): StructuralSchema {
  const { spec = {}, status = {} } = schema.properties ?? {};
  return {
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Group and version: runlet.dev/v1alpha1.', maxLength: 64 },
      kind: { type: 'string', description: 'The kind of the object.', maxLength: 64 },
      metadata: { type: 'object' },
      spec: { ...spec, description: 'What is wanted.' },
      status: { ...status, description: 'What is so, written by the agent of the node.' },
    },
  };
}

/** In a cluster somebody must say which node it is. */
function required(schema: StructuralSchema, field: string): StructuralSchema {
  return place(schema, 'spec', (spec) => ({ ...spec, required: [field, ...(spec.required ?? [])] }));
}

function withRules(schema: StructuralSchema, rules: readonly PlacedRule[]): StructuralSchema {
  return rules.reduce(
    (left, { path, rule, message }) =>
      place(left, path, (at) => ({
        ...at,
        'x-kubernetes-validations': [...(at['x-kubernetes-validations'] ?? []), { rule, message }],
      })),
    schema,
  );
}
