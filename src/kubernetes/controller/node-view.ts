import type { Clock } from '#async/clock.ts';
import type { KubeObject } from '../client/object.ts';
import type { Store } from '../client/store.ts';
import type { NodeFacts } from './verdict.ts';

/** Labels that a pod must have, such as `app=runlet,component=agent`. */
export type Labels = Readonly<Record<string, string>>;

/** `a=b,c=d` as labels; what is no `name=value` is left out. */
export function parseLabels(text: string): Labels {
  return Object.fromEntries(
    text.split(',').flatMap((each) => {
      const [name = '', ...value] = each.split('=');
      return name && value.length > 0 ? [[name, value.join('=')]] : [];
    }),
  );
}

/** Whether a pod is one of an agent. */
export function isAgent({ metadata }: KubeObject, labels: Labels): boolean {
  const { labels: own = {} } = metadata as { readonly labels?: Labels };
  return Object.entries(labels).every(([name, value]) => own[name] === value);
}

/** Whether a pod says that it is ready. */
export function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** What the cluster says of its nodes and agents, and since when. */
export class NodeView {
  readonly #nodes: Store;
  readonly #pods: Store;
  readonly #clock: Clock;
  /** The last facts of each node that was asked for. */
  readonly #known = new Map<string, NodeFacts>();

  constructor(options: { readonly nodes: Store; readonly pods: Store; readonly clock: Clock }) {
    this.#nodes = options.nodes;
    this.#pods = options.pods;
    this.#clock = options.clock;
  }

  /** Whether enough has been heard to judge anybody. */
  get synced(): boolean {
    return this.#nodes.synced && this.#pods.synced;
  }

  /** What is so now; a change begins to count from when it is first looked at. */
  facts(name: string): NodeFacts {
    const node = this.#nodes.get(name) !== undefined;
    const agentReady = this.#pods.keys().some((key) => this.#isReadyAgent(this.#pods.get(key), name));
    const known = this.#known.get(name);
    if (known?.node === node && known.agentReady === agentReady) return known;
    // A node that goes after its agent fell silent has been silent for as long.
    const silent = known !== undefined && !known.agentReady && !agentReady && !known.node === !node;
    const facts = { node, agentReady, sinceMs: silent ? known.sinceMs : this.#clock.monotonicMs() };
    this.#known.set(name, facts);
    return facts;
  }

  /** Forgets a node that nobody asks for any more. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  #isReadyAgent(pod: KubeObject | undefined, node: string): boolean {
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return false;
    const { nodeName } = (pod['spec'] ?? {}) as { readonly nodeName?: string };
    return nodeName === node && isReady(pod);
  }
}
