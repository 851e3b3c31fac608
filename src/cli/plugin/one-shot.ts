import { DeadlineExceededError, errorMessage } from '#errors/errors.ts';
import type { Kubectl } from './kubectl.ts';
import type { NodeTask } from './node-task.ts';

export type OneShotKind = 'NodeTaskExec' | 'NodeTaskSignal' | 'NodeTaskCheckpoint';

/** What the plugin reads of a one-shot object once it has ended. */
export interface OneShot {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string };
  readonly spec: { readonly taskName?: string; readonly command?: readonly string[]; readonly signal?: string };
  readonly status?: {
    readonly state?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly exitStatus?: number;
    readonly stdout?: string;
    readonly stderr?: string;
    readonly truncated?: boolean;
    readonly delivered?: number;
    readonly path?: string;
    readonly sizeBytes?: number;
  };
}

/** Resource names of the kinds. */
export const oneShotResources: Readonly<Record<OneShotKind, string>> = {
  NodeTaskExec: 'nodetaskexecs.runlet.dev',
  NodeTaskSignal: 'nodetasksignals.runlet.dev',
  NodeTaskCheckpoint: 'nodetaskcheckpoints.runlet.dev',
};

/** How long an agent that is not there is waited for beside what the request itself may take. */
const patienceSeconds = 30;

/** The agent's own default for requests that wait for their task. */
const startDeadlineSeconds = 60;

/**
 * Asks the task's agent for one act, waits for the outcome and returns the object. Throws DeadlineExceededError when no agent
 * takes it up in time.
 */
export async function oneShot(
  kubectl: Kubectl,
  task: NodeTask,
  ask: { readonly kind: OneShotKind; readonly name?: string; readonly spec: object; readonly mayTakeSeconds: number },
): Promise<OneShot> {
  const { kind, mayTakeSeconds } = ask;
  const made = await kubectl.json<OneShot>(['create', '-f', '-'], {
    input: JSON.stringify(await requestOf(kubectl, task, ask)),
  });
  const { name } = made.metadata;
  const object = `${oneShotResources[kind]}/${name}`;
  const timeout = startDeadlineSeconds + mayTakeSeconds + patienceSeconds;
  try {
    await kubectl.text(['wait', '--for=condition=Finished', object, `--timeout=${timeout}s`]);
  } catch (error) {
    if (!/timed out/.test(errorMessage(error))) throw error;
    const { nodeName } = task.spec;
    throw new DeadlineExceededError(
      `${object} has not finished in ${timeout} s: does the agent of node ${nodeName} run? The request stands until it is deleted`,
      { cause: error },
    );
  }
  return await kubectl.json<OneShot>(['get', object]);
}

/** An object that asks for something of a task, in the name of the user. */
export async function requestOf(
  kubectl: Kubectl,
  { metadata, spec }: NodeTask,
  ask: { readonly kind: string; readonly name?: string; readonly spec: object },
): Promise<object> {
  const { name, namespace, uid } = metadata;
  const requestedBy = await whoAsks(kubectl);
  const apiVersion = 'runlet.dev/v1alpha1';
  return {
    apiVersion,
    kind: ask.kind,
    metadata: {
      ...(ask.name === undefined ? { generateName: `${name.slice(0, 50)}-` } : { name: ask.name }),
      namespace,
      ownerReferences: [{ apiVersion, kind: 'NodeTask', name, uid, controller: false, blockOwnerDeletion: false }],
    },
    spec: {
      nodeName: spec.nodeName,
      taskName: name,
      // The object that was looked at, not a namesake that comes meanwhile.
      taskUID: uid,
      ...(requestedBy === undefined ? {} : { requestedBy }),
      ...ask.spec,
    },
  };
}

/** The user's name in the cluster; undefined where the server does not say. An admission policy knows better. */
async function whoAsks(kubectl: Kubectl): Promise<string | undefined> {
  try {
    const review = await kubectl.json<{ status?: { userInfo?: { username?: string } } }>(['auth', 'whoami']);
    return review.status?.userInfo?.username;
  } catch {
    return undefined;
  }
}
