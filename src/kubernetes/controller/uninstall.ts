import type { Clock } from '#async/clock.ts';
import { DeadlineExceededError } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { listAll } from '../client/list.ts';
import { KubernetesError } from '../client/kubernetes-error.ts';
import type { KubeObject } from '../client/object.ts';
import { ObjectWriter } from '../cluster/object-writer.ts';
import { collectionPath, nodeTasks, objectPath, type Resource } from '../cluster/resource.ts';
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

/**
 * Before the agents go: asks for every NodeTask to be Stopped and waits until each is, or nobody can tell any more. Throws
 * DeadlineExceededError naming how many are still running.
 */
export async function stopAll(options: UninstallOptions): Promise<void> {
  const { client, log, signal } = options;
  const before = await list(options, nodeTasks);
  for (const { metadata } of before.filter((object) => specOf(object).runState !== 'Stopped')) {
    const { name, namespace = '' } = metadata;
    await client.mergePatch(objectPath(nodeTasks, { namespace, name }), { spec: { runState: 'Stopped' } }, { signal });
    log.info({ namespace, name }, 'asked to stop');
  }
  await until(options, async () => {
    const running = (await list(options, nodeTasks)).filter(isRunning);
    return running.length === 0 ? true : `${running.length} NodeTasks are not stopped yet`;
  });
}

/**
 * After the agents are gone: takes the finalizer off every object, so that it can be deleted although nobody is left to look
 * after it. Throws DeadlineExceededError when agents are still there.
 */
export async function releaseAll(options: UninstallOptions): Promise<void> {
  const { client, clock, log } = options;
  await until(options, async () => {
    const agents = (await agentPods(options)).length;
    return agents === 0 ? true : `${agents} agents are still there`;
  });
  for (const resource of allKinds) {
    const writer = new ObjectWriter({ client, resource, clock, known: () => undefined });
    for (const { metadata } of await list(options, resource)) {
      const { name, namespace = '', uid } = metadata;
      await writer.release({ namespace, name, uid });
    }
  }
  log.info({}, 'no object is held any more');
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

/** Stopped, never begun, or nobody's any more. */
function isRunning(object: KubeObject): boolean {
  const { state, conditions = [] } = (object['status'] ?? {}) as {
    readonly state?: string;
    readonly conditions?: readonly { readonly type: string; readonly reason: string }[];
  };
  if (conditions.some(({ type, reason }) => type === 'Ready' && reason === 'AgentLost')) return false;
  return state !== undefined && state !== 'Stopped';
}

function specOf(object: KubeObject): { readonly runState?: string } {
  return object['spec'] ?? {};
}
