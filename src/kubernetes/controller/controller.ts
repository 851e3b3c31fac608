import type { Clock } from '#async/clock.ts';
import { TaskGroup } from '#async/task-group.ts';
import { errorMessage } from '#errors/errors.ts';
import type { Log } from '#log/log.ts';
import type { KubernetesClient } from '../client/client.ts';
import { ListWatch } from '../client/list-watch.ts';
import type { KubeObject } from '../client/object.ts';
import { Store } from '../client/store.ts';
import { ObjectWriter } from '../cluster/object-writer.ts';
import { collectionPath, objectPath, type Resource } from '../cluster/resource.ts';
import { apiVersion } from '../node-task/fields.ts';
import { toTime } from '../reconcile/time.ts';
import { WorkQueue } from '../reconcile/work-queue.ts';
import { sessionResources } from '../session/resources.ts';
import { isAbandoned } from './abandoned.ts';
import { isAgent, NodeView, type Labels } from './node-view.ts';
import { planObject, type ControllerAction } from './plan.ts';
import { allKinds } from './kinds.ts';
import { judge } from './verdict.ts';

export interface ControllerOptions {
  readonly client: KubernetesClient;
  /** Where the agents' pods are. */
  readonly namespace: string;
  readonly agentLabels: Labels;
  /** How long an agent may be silent, milliseconds. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who owns what the controller writes of a status. */
const fieldManager = 'runlet-controller';

/** Nodes whose objects are looked at at once. */
const workers = 4;
/** How often sessions are looked for that nobody came for. */
const sweepEveryMs = 60_000;

/** One kind: its objects by key. */
interface Kind {
  readonly resource: Resource;
  readonly store: Store;
  readonly writer: ObjectWriter;
}

/**
 * Speaks for agents that cannot: says of the objects of a node whose agent is silent that nothing is known of them, and frees
 * those that are being deleted on a node that is gone. One key is one node.
 */
export class LostNodeController {
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #view: NodeView;
  readonly #kinds: readonly Kind[];
  readonly #watches: readonly ListWatch[];

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { client, namespace, agentLabels, clock, log } = options;
    this.#queue = new WorkQueue({ clock });
    const everyNode = () => this.#lookAtAll();
    const nodes = new Store({ accept: () => true, onChange: (name) => this.#queue.add(name), onSynced: everyNode });
    const pods = new Store({
      accept: (pod) => isAgent(pod, agentLabels),
      onChange: everyNode,
      onSynced: everyNode,
    });
    this.#view = new NodeView({ nodes, pods, clock });
    this.#kinds = allKinds.map((resource) => this.#kind(resource));
    const watch = (name: string, path: string, store: Store) =>
      new ListWatch({ client, name, selection: { path }, listener: store, clock, log });
    this.#watches = [
      watch('nodes', '/api/v1/nodes', nodes),
      watch('pods', `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`, pods),
      ...this.#kinds.map(({ resource, store }) => watch(resource.plural, collectionPath(resource), store)),
    ];
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    await using group = new TaskGroup((error) => log.error({ err: error }, 'a part of the controller failed'));
    for (const watch of this.#watches) group.spawn(() => watch.run(signal));
    for (let n = 0; n < workers; n += 1) group.spawn(() => this.#work(signal));
    group.spawn(() => this.#sweep(signal));
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#queue[Symbol.dispose]();
  }

  /** Deletes sessions whose time is over and that no agent deletes. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const sessions = this.#kinds.filter(({ resource }) => resource.kind in sessionResources);
    while (!signal.aborted) {
      for (const kind of sessions) await this.#sweepKind(kind);
      await clock.sleep(sweepEveryMs, signal).catch(() => {}); // told to leave
    }
  }

  async #sweepKind({ store, writer, resource: { kind } }: Kind): Promise<void> {
    const { clock, log } = this.#options;
    const nowMs = clock.nowMs();
    const objects = store.keys().flatMap((key) => store.get(key) ?? []);
    for (const { metadata } of objects.filter((object) => isAbandoned(object, nowMs))) {
      const { name, namespace = '', uid } = metadata;
      await writer.delete({ name, namespace, uid }).catch((error: unknown) => {
        log.debug({ kind, namespace, name, reason: errorMessage(error) }, 'cannot delete a session yet');
      });
    }
  }

  #kind(resource: Resource): Kind {
    const { client, clock } = this.#options;
    const store: Store = new Store({
      accept: () => true,
      onChange: (key) => {
        const node = nodeOf(store.get(key));
        if (node !== undefined) this.#queue.add(node);
      },
      onSynced: () => this.#lookAtAll(),
    });
    const known = ({ namespace, name }: { readonly namespace: string; readonly name: string }) =>
      store.get(`${namespace}/${name}`);
    return { resource, store, writer: new ObjectWriter({ client, resource, clock, known }) };
  }

  #lookAtAll(): void {
    for (const { store } of this.#kinds) {
      for (const key of store.keys()) {
        const node = nodeOf(store.get(key));
        if (node !== undefined) this.#queue.add(node);
      }
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let node = await this.#queue.take(); node !== undefined; node = await this.#queue.take()) {
      try {
        await this.#look(node, signal);
        this.#queue.succeeded(node);
      } catch (error) {
        if (!signal.aborted)
          this.#options.log.warn({ node, reason: errorMessage(error) }, 'cannot speak for a node yet');
        this.#queue.retry(node);
      } finally {
        this.#queue.done(node);
      }
    }
  }

  async #look(node: string, signal: AbortSignal): Promise<void> {
    const { clock, graceMs, log } = this.#options;
    const objects = this.#objectsOf(node);
    if (objects.length === 0) {
      this.#view.forget(node);
      return;
    }
    // Nobody is judged by half of what there is to know.
    if (!this.#view.synced) return;
    const verdict = judge(node, this.#view.facts(node), clock.monotonicMs(), graceMs);
    if (verdict.kind === 'waiting') this.#queue.addAfter(node, verdict.lookAfterMs);
    for (const { kind, object } of objects) {
      for (const action of planObject(kind.resource, object, verdict, toTime(clock.nowMs()))) {
        await this.#carryOut(kind, object, action, signal);
        const { namespace, name } = object.metadata;
        log.info({ kind: kind.resource.kind, namespace, name, node, action: action.kind }, verdict.kind);
      }
    }
  }

  #objectsOf(node: string): readonly { readonly kind: Kind; readonly object: KubeObject }[] {
    return this.#kinds.flatMap((kind) =>
      kind.store.keys().flatMap((key) => {
        const object = kind.store.get(key);
        return object && nodeOf(object) === node ? [{ kind, object }] : [];
      }),
    );
  }

  async #carryOut(kind: Kind, object: KubeObject, action: ControllerAction, signal: AbortSignal): Promise<void> {
    const { name, namespace = '', uid, resourceVersion } = object.metadata;
    if (action.kind === 'release') {
      await kind.writer.release({ namespace, name, uid });
      return;
    }
    const { resource } = kind;
    await this.#options.client.apply(
      objectPath(resource, { namespace, name }, 'status'),
      // With its version: a namesake that was made meanwhile is not written to.
      { apiVersion, kind: resource.kind, metadata: { name, namespace, uid, resourceVersion }, status: action.status },
      { fieldManager, signal },
    );
  }
}

function nodeOf(object: KubeObject | undefined): string | undefined {
  const { nodeName } = (object?.['spec'] ?? {}) as { readonly nodeName?: string };
  return nodeName;
}
