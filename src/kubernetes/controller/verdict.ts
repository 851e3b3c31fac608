/** What is known of a node and of the agent on it. */
export interface NodeFacts {
  /** Whether there is a Node object of this name. */
  readonly node: boolean;
  /** Whether a pod of an agent on it says that it is ready. */
  readonly agentReady: boolean;
  /** Since when this has been so, monotonic milliseconds of whoever looks. */
  readonly sinceMs: number;
}

export type Verdict =
  /** The agent speaks for itself. */
  | { readonly kind: 'served' }
  /** It is silent, but not for long: look again after this time. */
  | { readonly kind: 'waiting'; readonly lookAfterMs: number }
  /** It has been silent for longer than the grace. */
  | { readonly kind: 'lost'; readonly message: string }
  /** There has been no node of this name for longer than the grace: what it held is not coming back. */
  | { readonly kind: 'gone'; readonly message: string };

/** Judges a node's agent by how long it has been silent. Pure. */
export function judge(name: string, facts: NodeFacts, nowMs: number, graceMs: number): Verdict {
  if (facts.agentReady) return { kind: 'served' };
  const leftMs = facts.sinceMs + graceMs - nowMs;
  if (leftMs > 0) return { kind: 'waiting', lookAfterMs: leftMs };
  if (facts.node) {
    return {
      kind: 'lost',
      message: `No agent on node ${name} has been ready for ${seconds(graceMs)}: look at the node and at the agent's pod there.`,
    };
  }
  return {
    kind: 'gone',
    message: `There is no node ${name}: name a node that is there in a new object, or wait until the node returns.`,
  };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} seconds`;
}
