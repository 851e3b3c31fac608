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
    readonly restartedAt?: string;
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

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string;
      readonly deletionTimestamp?: string;
      readonly ownerReferences?: readonly { readonly kind: string }[];
    };
    readonly spec?: {
      readonly containers?: readonly {
        readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
      }[];
    };
    readonly status?: { readonly phase?: string };
  }[];
}

/** Where an agent serves sessions whose pod does not say. */
const usualPort = 9621;

/** Where sessions of a node's tasks are served. */
export interface AgentPod {
  readonly name: string;
  readonly port: number;
}

/** The agent's pod on a node. Throws FailedPreconditionError where there is none that runs. */
export async function agentPod(kubectl: Kubectl, nodeName: string, namespace: string): Promise<AgentPod> {
  const selectors = ['-l', 'app.kubernetes.io/name=runlet', '--field-selector', `spec.nodeName=${nodeName}`];
  const { items } = await kubectl.json<PodList>(['get', 'pods', ...selectors], { namespace });
  const agents = items.filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet'));
  const running = agents.find(({ metadata, status }) => status?.phase === 'Running' && !metadata.deletionTimestamp);
  if (running) return { name: running.metadata.name, port: streamPort(running) };
  const why = agents.length > 0 ? 'does not run' : 'is not there';
  throw new FailedPreconditionError(
    `the agent's pod on node ${nodeName} ${why} in namespace ${namespace}: --agent-namespace names another`,
  );
}

function streamPort({ spec }: PodList['items'][number]): number {
  const ports = spec?.containers?.flatMap(({ ports: own = [] }) => own) ?? [];
  return ports.find(({ name }) => name === 'stream')?.containerPort ?? usualPort;
}
