import * as z from 'zod';
import { absolutePath, apiVersion, dnsLabel, list, objectName, pattern, taskName, text } from './fields.ts';
import { envFromSchema, envVarSchema } from './schema-env.ts';
import { resourcesSchema } from './schema-resources.ts';
import { securityContextSchema } from './schema-security.ts';
import { statusSchema } from './schema-status.ts';
import { volumeMountSchema, volumeSchema } from './schema-volumes.ts';

/** The annotation whose change restarts a task in place. */
export const restartedAtAnnotation = 'runlet.dev/restartedAt';

/** The finalizer that keeps an object until its task is gone. */
export const cleanupFinalizer = 'runlet.dev/cleanup';

/** Why `Ready` is Unknown of a task whose agent is silent; only the controller says so. */
export const agentLost = 'AgentLost';

/** Fields of spec that change while the task runs on; a change of any other that is not immutable replaces the task. */
export const inPlaceFields = [
  'runState',
  'resources',
  'restartPolicy',
  'stopSignal',
  'terminationGracePeriodSeconds',
  'activeDeadlineSeconds',
  'ttlSecondsAfterFinished',
  'imagePullPolicy',
  'rebootPolicy',
] as const;

/** Fields of spec that never change. */
export const immutableFields = ['nodeName', 'restoreFrom'] as const;

/** A year, the longest time that is asked for in seconds. */
const maxSeconds = 31_536_000;

/** `spec`. One source of validation, of the types and of the published schema. Meaning and rules: docs/nodetask.md. */
export const specSchema = z.strictObject({
  nodeName: objectName
    .exactOptional()
    .describe('The node that runs it. Required in a cluster; in a manifest folder the agent’s own. Never changes.'),
  runState: z
    .enum(['Created', 'Running', 'Paused', 'Stopped'])
    .default('Running')
    .describe('What the task should be: made, running, frozen or stopped.'),
  image: text(1024)
    .min(1)
    .exactOptional()
    .describe('Image reference. oci:PATH and docker-archive:PATH in manifest folders only. This or rootfs.'),
  rootfs: z
    .strictObject({ path: absolutePath.describe('Folder of the node, below one of --rootfs-allow.') })
    .exactOptional()
    .describe('A plain folder instead of an image; it is only read.'),
  imagePullPolicy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .exactOptional()
    .describe('When to pull. Default Always for the tag latest or none, else IfNotPresent.'),
  command: list(text(131_072), 1024).exactOptional().describe('The program, instead of the image’s entrypoint.'),
  args: list(text(131_072), 1024).exactOptional().describe('Its arguments, instead of the image’s command.'),
  workingDir: absolutePath.exactOptional().describe('Its working directory; default the image’s, else /.'),
  env: list(envVarSchema, 1024).exactOptional().describe('Environment variables.'),
  envFrom: list(envFromSchema, 64).exactOptional().describe('Objects whose keys become variables; env wins.'),
  tty: z.boolean().default(false).describe('Whether it has a terminal.'),
  stdin: z.boolean().default(false).describe('Whether it has a standard input that a client can attach to.'),
  volumes: list(volumeSchema, 64).exactOptional().describe('Folders and files from outside the image.'),
  volumeMounts: list(volumeMountSchema, 64).exactOptional().describe('Where volumes appear.'),
  resources: resourcesSchema.exactOptional().describe('Limits and requests; all of it may change while it runs.'),
  securityContext: securityContextSchema.exactOptional().describe('Who it runs as and what it may do.'),
  network: z
    .strictObject({
      mode: z.enum(['None', 'Host']).describe('None: a loopback interface only. Host: the node’s network.'),
    })
    .exactOptional()
    .describe('Its network; None when absent.'),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always').describe('What happens when it ends.'),
  stopSignal: pattern(/^[A-Za-z0-9+-]+$/, 16, 'be the name or number of a signal, such as TERM or "15"')
    .exactOptional()
    .describe('Sent to stop it; default the image’s, else TERM. TERM, SIGTERM and "15" are one.'),
  terminationGracePeriodSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(30)
    .describe('Seconds from the stop signal until KILL.'),
  activeDeadlineSeconds: z
    .int()
    .min(1)
    .max(maxSeconds)
    .exactOptional()
    .describe('Unfrozen seconds of a run, restarts included; then it is stopped for good.'),
  ttlSecondsAfterFinished: z
    .int()
    .min(0)
    .max(maxSeconds)
    .exactOptional()
    .describe('Seconds until a finished object is deleted; absent: never.'),
  rebootPolicy: z
    .enum(['WaitForAPIServer', 'StartFromCache'])
    .default('WaitForAPIServer')
    .describe('Whether it may start after a reboot before the API server has been heard.'),
  restoreFrom: z
    .strictObject({ checkpointName: taskName.describe('A NodeTaskCheckpoint of the same namespace and node.') })
    .exactOptional()
    .describe('Begin from a checkpoint. Never changes.'),
});

/** The part of `metadata` that runlet reads; whatever else an API server puts there stays. */
export const metadataSchema = z.looseObject({
  name: taskName,
  namespace: dnsLabel.default('default'),
  uid: text(128).min(1).exactOptional(),
  generation: z.int().min(0).exactOptional(),
  resourceVersion: text(128).exactOptional(),
  creationTimestamp: text(64).exactOptional(),
  deletionTimestamp: text(64).exactOptional(),
  deletionGracePeriodSeconds: z.int().exactOptional(),
  finalizers: list(text(256), 64).exactOptional(),
  labels: z.record(text(320), text(63)).exactOptional(),
  annotations: z.record(text(320), z.string()).exactOptional(),
});

/** A whole object. `status` is the agent's own writing: what stands there is never trusted, so it is not looked at. */
export const nodeTaskSchema = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('NodeTask'),
  metadata: metadataSchema,
  spec: specSchema,
  status: z.unknown().exactOptional(),
});

/** The object as the API server publishes it: with the status that the agent writes. */
export const publishedSchema = z.strictObject({ spec: specSchema, status: statusSchema.exactOptional() });
