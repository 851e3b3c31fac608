import type { Clock } from '#async/clock.ts';
import { DeadlineExceededError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { listAll } from '../client/list.ts';
import { isMissing, KubernetesError } from '../client/kubernetes-error.ts';
import type { KubeObject } from '../client/object.ts';
import { finalizersOf, ObjectWriter } from '../cluster/object-writer.ts';
import { collectionPath, nodeTasks, objectPath, type Resource } from '../cluster/resource.ts';
import { cleanupFinalizer } from '../node-task/schema.ts';
import { allKinds } from './kinds.ts';
import { isAgent, isReady, type Labels } from './node-view.ts';

export interface UninstallOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly agentLabels: Labels;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const lookEveryMs = 1000;

/** How long agents may take to remove what is left of tasks that have stopped. */
const tidyMs = 60_000;

/**
 * Before the agents go: asks for every NodeTask to be Stopped, waits until each is whose node has an agent to do it, and lets
 * them go, so that the agents remove all that their nodes have of them. Throws DeadlineExceededError naming how many are still
 * running.
 */
export async function stopAll(options: UninstallOptions): Promise<void> {
  for (const object of await list(options, nodeTasks)) await askToStop(options, object);
  await until(options, async () => {
    const running = (await servedTasks(options)).filter(isRunning);
    return running.length === 0 ? true : `not stopped yet: ${namesOf(running)}`;
  });
  await release(options, nodeTasks);
  try {
    await until({ ...options, timeoutMs: Math.min(options.timeoutMs, tidyMs) }, async () => {
      const held = (await servedTasks(options)).filter((object) => containerOf(object['status']) !== undefined);
      return held.length === 0 ? true : `nodes still hold containers of ${namesOf(held)}`;
    });
  } catch (error) {
    if (!(error instanceof DeadlineExceededError)) throw error;
    options.log.warn({ reason: error.message }, 'going on all the same: every task has stopped');
  }
}

async function askToStop({ client, log, signal }: UninstallOptions, object: KubeObject): Promise<void> {
  if (specOf(object).runState === 'Stopped') return;
  const { name, namespace = '' } = object.metadata;
  const path = objectPath(nodeTasks, { namespace, name });
  try {
    await client.mergePatch(path, { spec: { runState: 'Stopped' } }, { signal });
    log.info({ namespace, name }, 'asked to stop');
  } catch (error) {
    if (!isMissing(error)) throw error; // it has gone meanwhile
  }
}

/** The NodeTasks of nodes that have an agent: nobody answers for the others. */
async function servedTasks(options: UninstallOptions): Promise<readonly KubeObject[]> {
  const ready = (await agentPods(options)).filter(
    (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined,
  );
  const nodes = new Set(ready.map((pod) => specOf(pod).nodeName));
  return (await list(options, nodeTasks)).filter((object) => nodes.has(specOf(object).nodeName));
}

/**
 * After the agents are gone: takes the finalizer off every object, so that it can be deleted although nobody is left to look
 * after it. Throws DeadlineExceededError when agents are still there.
 */
export async function releaseAll(options: UninstallOptions): Promise<void> {
  const { log } = options;
  await until(options, async () => {
    const agents = (await agentPods(options)).length;
    return agents === 0 ? true : `${agents} agents are still there`;
  });
  for (const resource of allKinds) await release(options, resource);
  log.info({}, 'no object is held any more');
}

async function release(options: UninstallOptions, resource: Resource): Promise<void> {
  const { client, clock } = options;
  const writer = new ObjectWriter({ client, resource, clock, known: () => undefined });
  for (const object of await list(options, resource)) {
    const { name, namespace = '', uid } = object.metadata;
    if (finalizersOf(object).includes(cleanupFinalizer)) await writer.release({ namespace, name, uid });
  }
}

/** Whether every kind is served and every agent is ready; else what is missing. */
export async function checkInstallation(options: UninstallOptions): Promise<true | string> {
  for (const resource of allKinds) {
    try {
      await options.client.get(collectionPath(resource), { query: { limit: 1 }, signal: options.signal });
    } catch (error) {
      if (error instanceof KubernetesError) return `${resource.plural} are not served: ${error.message}`;
      throw error;
    }
  }
  const agents = await agentPods(options);
  if (agents.length === 0) return 'there is no agent';
  const waiting = agents.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name);
  return waiting.length === 0 ? true : `agents are not ready: ${waiting.join(', ')}`;
}

async function until(options: UninstallOptions, done: () => Promise<true | string>): Promise<void> {
  const { clock, timeoutMs, signal, log } = options;
  const endMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const what = await done();
    if (what === true) return;
    if (clock.monotonicMs() >= endMs) throw new DeadlineExceededError(`${what} after ${timeoutMs / 1000} s`);
    log.debug({ what }, 'waiting');
    await clock.sleep(lookEveryMs, signal);
  }
}

async function agentPods(options: UninstallOptions): Promise<readonly KubeObject[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}/pods`;
  const { objects } = await listAll(options.client, { path }, { signal: options.signal });
  return objects.filter((pod) => isAgent(pod, options.agentLabels));
}

async function list(options: UninstallOptions, resource: Resource): Promise<readonly KubeObject[]> {
  const selection = { path: collectionPath(resource) };
  return (await listAll(options.client, selection, { signal: options.signal })).objects;
}

/** Whether its agent has not yet said that it is stopped; one that is being deleted is on its way as well. */
function isRunning(object: KubeObject): boolean {
  const { state, conditions = [] } = (object['status'] ?? {}) as {
    readonly state?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  if (state === undefined || state === 'Stopped') return false;
  // Of what is not valid nothing is made, nor is it ever said to be stopped.
  return state !== 'Pending' || !conditions.some(({ type, status }) => type === 'Stalled' && status === 'True');
}

function namesOf(objects: readonly KubeObject[]): string {
  const names = objects.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function containerOf(status: unknown): unknown {
  return typeof status === 'object' && status !== null && 'containerID' in status ? status.containerID : undefined;
}

function specOf(object: KubeObject): { readonly runState?: string; readonly nodeName?: string } {
  return object['spec'] ?? {};
}
