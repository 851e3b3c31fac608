import { FailedPreconditionError } from '#errors/errors.ts';
import type { Kubectl } from './kubectl.ts';

/** The resource, by its full name: other projects have a NodeTask too. */
export const resource = 'nodetasks.runlet.dev';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** What the plugin reads of a NodeTask. */
export interface NodeTask {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly generation?: number;
    readonly creationTimestamp?: string;
  };
  readonly spec: { readonly nodeName: string; readonly runState?: string; readonly image?: string } & Record<
    string,
    unknown
  >;
  readonly status?: {
    readonly state?: string;
    readonly pid?: number;
    readonly restartCount?: number;
    readonly startedAt?: string;
    readonly exitStatus?: number;
    readonly containerID?: string;
    readonly observedGeneration?: number;
    readonly lastTermination?: { readonly exitStatus: number; readonly reason: string; readonly finishedAt?: string };
    readonly conditions?: readonly Condition[];
  };
}

/** Reads it. */
export async function readNodeTask(kubectl: Kubectl, name: string): Promise<NodeTask> {
  return await kubectl.json<NodeTask>(['get', resource, name]);
}

/** containerd's namespace and id on the node: as status says, for a namespace may stand there by another name. */
export function nameOnNode({ metadata, status }: NodeTask): string {
  const [, namespace, id] = /^runlet:\/\/([^/]+)\/([^/]+)$/.exec(status?.containerID ?? '') ?? [];
  return namespace && id ? `${namespace}/${id}` : `k8s.${metadata.namespace}/${metadata.name}`;
}

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly deletionTimestamp?: string;
      readonly ownerReferences?: readonly { readonly kind: string }[];
    };
    readonly status?: { readonly phase?: string };
  }[];
}

/** The agent's pod on a node. Throws FailedPreconditionError where there is none that runs. */
export async function agentPod(kubectl: Kubectl, nodeName: string, namespace: string): Promise<string> {
  const selectors = ['-l', 'app.kubernetes.io/name=runlet', '--field-selector', `spec.nodeName=${nodeName}`];
  const { items } = await kubectl.json<PodList>(['get', 'pods', ...selectors], { namespace });
  const agents = items.filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet'));
  const running = agents.find(({ metadata, status }) => status?.phase === 'Running' && !metadata.deletionTimestamp);
  if (running) return running.metadata.name;
  const why = agents.length > 0 ? 'does not run' : 'is not there';
  throw new FailedPreconditionError(
    `the agent's pod on node ${nodeName} ${why} in namespace ${namespace}: --agent-namespace names another`,
  );
}
