import type { ConfigSource } from '../node-task/config-source.ts';
import type { Problem } from '../node-task/problem.ts';
import type { NodeTask, NodeTaskStatus } from '../node-task/types.ts';

/** `namespace/name` of an object, in Kubernetes' words; made by objectKey. */
export type ObjectKey = string;

/** Whose an object is: a name may be given again, a UID never is. */
export interface ObjectIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A NodeTask as its source has it now. */
export interface SourceObject extends ObjectIdentity {
  /** 0 where the source does not count. */
  readonly generation: number;
  /** The newest version that passed validation; absent when none is known. */
  readonly task?: NodeTask;
  /** What is wrong with the newest version; then `task` is an older one, or absent. Empty when it is valid. */
  readonly problems: readonly Problem[];
  /** It is being deleted: its task is to be stopped and removed, then `release` lets it go. */
  readonly deleting: boolean;
  /**
   * Somebody has taken our finalizer off while this agent looked on. Of an object that is to be Stopped the node then keeps
   * nothing: that is how an uninstall asks for it.
   */
  readonly letGo?: boolean;
  /**
   * Whether the source itself has said so since this agent began. False for what was read from a cache on disk: a task
   * with rebootPolicy WaitForAPIServer does not start after a reboot on the word of a cache.
   */
  readonly confirmed: boolean;
}

/** Something may have changed; whoever hears it looks for itself. */
export type SourceChange =
  | { readonly kind: 'object'; readonly key: ObjectKey }
  /** Everything has been read once: from now on, what `get` does not know is gone. Told once. */
  | { readonly kind: 'synced' };

/** Kubernetes' Pod Security levels, the widest first. */
export type PodSecurityLevel = 'privileged' | 'baseline' | 'restricted';

/**
 * Where NodeTasks come from: a cluster or a folder of manifests. Only this node's objects. It gives the objects as they are
 * now, tells of changes, and keeps nothing back: the reader decides what to do about it.
 */
export interface NodeTaskSource {
  /**
   * False until everything has been read once. Until then an object that `get` does not know may exist all the same; after
   * that it is gone, also when it went while the agent was away, and its task is removed.
   */
  readonly synced: boolean;
  /** All objects that are known now, from a cache too. */
  keys(): readonly ObjectKey[];
  get(key: ObjectKey): SourceObject | undefined;
  /** Listens until disposed of. Nothing is replayed: ask keys() after subscribing. */
  subscribe(listener: (change: SourceChange) => void): Disposable;
  /** What tasks of the namespace may be. Never throws: what cannot be read is `restricted`. */
  podSecurityLevel(kubeNamespace: string): Promise<PodSecurityLevel>;
  /** ConfigMaps and Secrets that objects name. */
  readonly config: ConfigSource;
  /**
   * Resolves when the next agent would know the object as it is known here, whether it can ask its source or not. Before
   * anything is made. Throws what the disk says.
   */
  keep(key: ObjectKey): Promise<void>;
}

/** An event about an object, by the reasons of docs/nodetask.md. */
export interface ObjectEvent {
  readonly type: 'Normal' | 'Warning';
  /** Such as `Started`. */
  readonly reason: string;
  /** One sentence for people. */
  readonly note: string;
}

/**
 * Where the agent says what became of an object. The cluster's one writes by the object's UID, so that a namesake is never
 * written; that of a folder keeps it in memory.
 */
export interface NodeTaskSink {
  /**
   * Takes the newest status, whole. Returns at once and never throws: it is written when it may be, and only the newest;
   * `urgent` (an end, or what was asked for is so) goes before the rate limit.
   */
  status(object: ObjectIdentity, status: NodeTaskStatus, options: { readonly urgent: boolean }): void;
  /** Returns at once and never throws; equal events close together may be one with a count. */
  event(object: ObjectIdentity, event: ObjectEvent): void;
  /** Sees to it that the object cannot go before `release` (the finalizer). Before anything is made. Throws UnavailableError. */
  claim(object: ObjectIdentity): Promise<void>;
  /** Lets a deleted object go: nothing of it is left on the node. Being gone is success. Throws UnavailableError. */
  release(object: ObjectIdentity): Promise<void>;
  /** Deletes a finished object whose time is over, only as it is now. Being gone is success. Throws UnavailableError. */
  delete(object: ObjectIdentity): Promise<void>;
}

/** The key of an object. */
export function objectKey({ namespace, name }: Pick<ObjectIdentity, 'namespace' | 'name'>): ObjectKey {
  return `${namespace}/${name}`;
}

/** Namespace and name of a key; Kubernetes' names hold no slash. */
export function parseObjectKey(key: ObjectKey): Pick<ObjectIdentity, 'namespace' | 'name'> {
  const at = key.indexOf('/');
  return { namespace: key.slice(0, at), name: key.slice(at + 1) };
}
